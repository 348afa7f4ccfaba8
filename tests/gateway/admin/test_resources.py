"""Models, prices, the audit log, plugins and config, and who one is, in the admin API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field
from starlette.testclient import TestClient

from gateway import Gateway, Plugin, PluginConfig, Secret
from gateway.admin.config import masked
from gateway.store.audit import Actor, record
from gateway.store.identity_tables import memberships, users
from gateway.store.tenants import TenantSettings, change_tenant, create_tenant

from .people import CONFIG, People, signed_in
from .rows import NOON, Rows

TESTS = Actor(kind="gateway", id="tests")
OPERATOR = signed_in("default", "usr_o")


class Chatty(PluginConfig):
    key: Secret = Field(description="A secret.")
    elsewhere: Secret = Field(description="A secret of the environment.")
    password: str = Field(description="A secret that is not declared as one.")
    url: str = Field(description="A URL.")
    more: dict[str, str] = Field(description="More.")


class Careless(Plugin[Chatty]):
    id = "service.careless"
    Config = Chatty


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY_VARIABLE", "canary-environment")
        config: dict[str, Any] = {
            **CONFIG,
            "gateway": {"database": f"sqlite:///{tmp_path_factory.mktemp('admin') / 'canary.db'}"},
            "provider": {
                "mock": {},
                "openai": {"api_key": "canary-key", "headers": {"x-extra": "canary-header"}},
                "deepseek": {"use": "openai", "api_key": {"env": "NOT_SET_AT_ALL"}},
            },
            "models": {
                "fast": {"targets": [{"to": "openai:gpt-5-mini", "tier": 2, "weight": 3}, "mock:echo"]}
            },
            "service": {
                "careless": {
                    "key": "canary-secret",
                    "elsewhere": {"env": "CANARY_VARIABLE"},
                    "password": "canary-password",
                    "url": "https://user:canary-url@example.com/path",
                    "more": {"X-Api-Key": "canary-more", "name": "seen"},
                }
            },
        }
        yield Gateway.from_dict(config, plugins=[People, Careless])


def get(client: TestClient, path: str, headers: dict[str, str] = OPERATOR, status: int = 200) -> Any:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def names(client: TestClient, path: str, headers: dict[str, str] = OPERATOR) -> list[str]:
    return [model["id"] for model in get(client, path, headers)["data"]]


def test_models(client: TestClient) -> None:
    assert names(client, "/models?limit=2") == ["fast", "mock/echo"]
    shown = get(client, "/models/fast")
    assert shown["targets"] == [
        {"provider": "mock", "model": "echo", "tier": 1, "weight": 1},
        {"provider": "openai", "model": "gpt-5-mini", "tier": 2, "weight": 3},
    ]
    assert get(client, "/models/openai/gpt-5-mini")["context_window"] > 100_000
    assert get(client, "/models/openai/gpt-5-mini")["targets"] is None
    assert get(client, "/models/nothing", status=404)["code"] == "not_found"
    assert names(client, "/models?search=5-MINI&owned_by=openai&kind=chat") == ["openai/gpt-5-mini"]


def test_pages_of_models(client: TestClient) -> None:
    seen: list[str] = []
    path = "/models?limit=40"
    while True:
        page = get(client, path)
        seen += [model["id"] for model in page["data"]]
        if page["next_cursor"] is None:
            break
        path = f"/models?limit=40&cursor={page['next_cursor']}"
    assert seen == sorted(set(seen))
    assert len(seen) > 60


def test_a_tenant_sees_what_it_may_use(client: TestClient, gateway: Gateway, rows: Rows) -> None:
    async def restrict() -> None:
        database = gateway._context.database
        await create_tenant(database, "narrow", actor=TESTS)
        settings = TenantSettings(models=("mock/e*", "openai/*", "fast"), providers=("mock",))
        await change_tenant(database, "narrow", settings, actor=TESTS)
        await gateway._context.changes.look()

    rows.run(restrict)
    narrow = signed_in("narrow", "usr_n")
    assert names(client, "/models", narrow) == ["fast", "mock/echo", "mock/embedding", "mock/error"]
    assert names(client, "/models?tenant=narrow") == ["fast", "mock/echo", "mock/embedding", "mock/error"]
    assert get(client, "/models/openai/gpt-5-mini", narrow, status=404)
    prices = get(client, "/prices", narrow)["data"]
    assert {price["provider"] for price in prices} == {"mock"}


def test_prices(client: TestClient) -> None:
    prices = get(client, "/prices?provider=openai&model=gpt-5-mini")["data"]
    assert prices[0]["rates"]["input"] > 0
    assert prices[0]["currency"] == "USD"
    assert [price["model"] for price in get(client, "/prices?provider=mock")["data"]] == ["*"]
    seen: list[Any] = []
    path = "/prices?limit=50"
    while True:
        page = get(client, path)
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        path = f"/prices?limit=50&cursor={page['next_cursor']}"
    keys = [(price["provider"], price["model"], price["valid_from"]) for price in seen]
    assert len(keys) == len(set(keys)) > 60
    assert get(client, "/prices?at=1970-01-02&provider=openai&model=gpt-5-mini")["data"] in ([], prices)


def test_the_audit_log(client: TestClient, rows: Rows) -> None:
    async def write() -> None:
        async with rows.database.begin() as connection:
            for tenant, action in (("acme", "key.create"), ("acme", "user.invite"), ("beta", "key.create")):
                actor = Actor(kind="user", id="usr_ann", request_id="req_1", address="192.0.2.1")
                await record(connection, actor, action, "obj_1", tenant=tenant, after={"name": "x"})

    rows.run(write)
    acme = signed_in("acme", "usr_ann", "admin")
    entries = get(client, "/audit", acme)["data"]
    assert [entry["action"] for entry in entries] == ["user.invite", "key.create"]
    assert [entry["id"] for entry in get(client, "/audit?action=key.*", acme)["data"]] == [entries[1]["id"]]
    shown = get(client, f"/audit/{entries[1]['id']}", acme)
    assert (shown["actor"], shown["after"], shown["address"]) == ("usr_ann", {"name": "x"}, "192.0.2.1")
    assert get(client, f"/audit?until={NOON}", acme)["data"] == []
    get(client, "/gateway/audit", acme, status=403)
    first = get(client, "/gateway/audit?limit=1&actor=usr_ann")
    rest = get(client, f"/gateway/audit?actor=usr_ann&cursor={first['next_cursor']}")
    told = [(entry["tenant"], entry["action"]) for entry in [*first["data"], *rest["data"]]]
    assert told == [("beta", "key.create"), ("acme", "user.invite"), ("acme", "key.create")]
    for entry in ("x", "0", "9" * 30, "٣"):
        get(client, f"/audit/{entry}", acme, status=404)


def test_no_secret_is_in_the_config(client: TestClient) -> None:
    config = client.get("/gateway/config", headers=OPERATOR)
    plugins = client.get("/gateway/plugins", headers=OPERATOR)
    for answer in (config, plugins):
        assert answer.status_code == 200
        assert "canary" not in answer.text
    careless = config.json()["plugins"]["service.careless"]
    assert careless["elsewhere"] == {"env": "CANARY_VARIABLE"}
    assert careless["url"] == "https://**********@example.com/path"
    assert careless["more"] == {"X-Api-Key": "**********", "name": "seen"}
    assert config.json()["gateway"]["timeouts"]["connect"] == 5
    assert config.json()["models"]["fast"]["targets"][1]["to"] == "mock:echo"
    get(client, "/gateway/config", signed_in("default", "usr_m", "member"), status=403)


def test_plugins_are_listed_as_they_run(client: TestClient) -> None:
    plugins = get(client, "/gateway/plugins")["data"]
    assert [(plugin["instance"], plugin["state"]) for plugin in plugins] == [
        ("provider.mock", "enabled"),
        ("provider.openai", "enabled"),
        ("auth.people", "enabled"),
        ("service.careless", "enabled"),
        ("provider.deepseek", "skipped"),
    ]
    assert plugins[2]["hooks"] == ["authenticators"]
    assert "NOT_SET_AT_ALL" in plugins[-1]["reason"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"token": ""}, {"token": ""}),
        ({"tokens_per_minute": 5}, {"tokens_per_minute": 5}),
        ({"api_keys": ["a", "b"]}, {"api_keys": ["**********"] * 2}),
        ({"api_key": {"file": "/run/key"}}, {"api_key": {"file": "/run/key"}}),
        ({"proxy": ["http://a:b@c:1", "http://c:1"]}, {"proxy": ["http://**********@c:1", "http://c:1"]}),
    ],
)
def test_masks(value: Any, shown: Any) -> None:
    assert masked(value) == shown


def test_who_one_is(client: TestClient, rows: Rows) -> None:
    rows.write(users, id="usr_many", name="Ann", email="ann@example.com", created_at=0, updated_at=0)
    for tenant, role in (("acme", "owner"), ("beta", "viewer")):
        rows.write(memberships, tenant=tenant, user="usr_many", role=role, created_at=0)
    me = get(client, "/me", signed_in("acme", "usr_many", "viewer"))
    assert (me["name"], me["email"], me["roles"]) == ("Ann", "ann@example.com", ["viewer"])
    assert me["tenants"] == [{"id": "acme", "role": "owner"}, {"id": "beta", "role": "viewer"}]
    there = get(client, "/me", {**signed_in("acme", "usr_many"), "x-tenant": "beta"})
    assert (there["tenant"], there["roles"]) == ("beta", ["viewer"])
    assert "calls.read" in there["permissions"]
    assert "keys.manage" not in there["permissions"]
