"""Credentials and providers in the admin API: secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from httpx2 import Response
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.store.tenants import create_tenant
from gateway.testing import replies
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.vault.master import new_master_key
from gateway.vault.throttle import PER_MINUTE

from ..admin.people import CONFIG, People, signed_in
from .conftest import ANN, SECRET

JSON = {"content-type": "application/json"}
MODELS = Reply(headers=JSON, parts=[b'{"data": []}'])
REFUSED = Reply(status=401, headers=JSON, parts=[replies.refusal(f"No such key: {SECRET}.", code="no")])
OPERATOR = signed_in()
ACME = signed_in("acme", "usr_bob")


@pytest.fixture(scope="module")
def upstream() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("vault")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream):
        gateway = Gateway.from_dict(
            {
                **CONFIG,
                "gateway": {
                    "database": f"sqlite:///{folder / 'gateway.db'}",
                    "vault": {"master_key": new_master_key()},
                },
                "provider": {
                    "mock": {},
                    "openai": {"base_url": f"{upstream.url}/v1", "vault": True},
                    "closed": {"use": "openai", "base_url": f"{upstream.url}/v1"},
                    "unset": {"use": "openai", "api_key": {"env": "NOBODY_HAS_SET_THIS"}},
                },
            },
            plugins=[People],
        )
        with TestClient(gateway, base_url="http://gateway/admin/api") as client:
            assert client.portal is not None
            for tenant in ("acme", "umbrella"):
                client.portal.call(lambda t=tenant: create_tenant(gateway._context.database, t, actor=ANN))
            yield client


@pytest.fixture(autouse=True)
def _answers(upstream: FakeUpstream) -> None:
    upstream._replies.clear()
    upstream.reply(MODELS)


def add(client: TestClient, path: str = "/credentials", who: Any = ACME, **fields: Any) -> Response:
    body = {"provider": "openai", "secret": SECRET, **fields}
    answer: Any = client.post(path, headers=who, json=body)
    assert SECRET not in answer.text
    return answer


def test_a_credential_lives_and_dies(client: TestClient, upstream: FakeUpstream):
    made = add(client, weight=3)
    assert made.status_code == 201
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    shown = made.json()
    assert (shown["state"], shown["weight"], shown["hint"]) == ("working", 3, "sk-…ghij")
    path = made.headers["location"].removeprefix("/admin/api")
    assert client.get(path, headers=ACME).json() == shown
    changed = client.patch(path, headers={**ACME, "if-match": made.headers["etag"]}, json={"enabled": False})
    assert changed.json()["state"] == "disabled"
    stale = client.patch(path, headers={**ACME, "if-match": made.headers["etag"]}, json={"weight": 9})
    assert stale.status_code == 412
    new = {"secret": "sk-another-0123456789-wxyz", "enabled": True, "name": "second"}
    replaced = client.patch(path, headers={**ACME, "if-match": "*"}, json=new)
    assert [replaced.json()[name] for name in ("hint", "name", "weight", "state")] == [
        "sk-…wxyz",
        "second",
        3,
        "working",
    ]
    upstream._replies.clear()
    upstream.reply(REFUSED)
    checked = client.post(f"{path}/check", headers=ACME)
    assert checked.json()["ok"] is False
    assert client.get(path, headers=ACME).json()["state"] == "failing"
    assert client.delete(path, headers={**ACME, "if-match": "*"}).status_code == 204
    assert client.get(path, headers=ACME).status_code == 404


def test_what_the_provider_refuses_is_not_stored(client: TestClient, upstream: FakeUpstream):
    upstream._replies.clear()
    upstream.reply(REFUSED)
    refused = add(client)
    assert refused.status_code == 422
    assert refused.json()["code"] == "credential_refused"
    assert "401: No such key: [redacted]." in refused.json()["detail"]
    assert add(client, check=False).json()["state"] == "untried"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"provider": "nobody"}, "unknown_provider"),
        ({"provider": "mock"}, "no_credentials"),
        ({"provider": "closed"}, "vault_not_used"),
    ],
)
def test_a_provider_that_takes_none_is_named(client: TestClient, fields: dict[str, Any], code: str):
    answer = add(client, **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_others_see_nothing(client: TestClient):
    own = add(client, check=False).json()["id"]
    operators = add(client, "/gateway/credentials", OPERATOR, check=False).json()["id"]
    umbrella = signed_in("umbrella", "usr_eve")
    for who, path in (
        (umbrella, f"/credentials/{own}"),
        (umbrella, f"/credentials/{operators}"),
        (ACME, f"/credentials/{operators}"),
        (OPERATOR, f"/credentials/{own}"),
        (OPERATOR, f"/gateway/credentials/{own}"),
    ):
        headers = {**who, "if-match": "*"}
        assert client.get(path, headers=who).status_code == 404
        assert client.patch(path, headers=headers, json={"weight": 2}).status_code == 404
        assert client.delete(path, headers=headers).status_code == 404
        assert client.post(f"{path}/check", headers=who).status_code == 404
    assert client.get("/gateway/credentials", headers=ACME).status_code == 403
    assert client.get("/credentials", headers=signed_in("acme", "usr_eve", "member")).status_code == 403
    assert client.get("/credentials", headers=umbrella).json()["data"] == []


def test_pages(client: TestClient):
    for number in range(3):
        add(client, "/gateway/credentials", OPERATOR, check=False, name=f"n{number}")
    names: list[str] = []
    cursor = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        found = client.get("/gateway/credentials", headers=OPERATOR, params=query).json()
        names += [one["name"] for one in found["data"]]
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert names[-3:] == ["n0", "n1", "n2"]
    assert len(names) == len(set(names)) or names.count("default") > 1


def test_filters(client: TestClient):
    tried = add(client, name="tried").json()
    untried = add(client, check=False, name="untried").json()

    def found(query: str, who: Any = ACME) -> set[str]:
        return {one["id"] for one in client.get(f"/credentials?{query}", headers=who).json()["data"]}

    assert (tried["id"] in found("state=working"), untried["id"] in found("state=working")) == (True, False)
    assert untried["id"] in found("state=untried&kind=api_key")
    assert {tried["id"], untried["id"]} <= found("state=working&state=untried")
    assert found("kind=aws") == set()
    assert found("state=working", signed_in("umbrella", "usr_una")) == set()
    assert client.get("/credentials?state=broken", headers=ACME).status_code == 422


def test_providers_tell_how_they_stand(client: TestClient):
    add(client, check=False)
    found = {one["name"]: one for one in client.get("/gateway/providers", headers=OPERATOR).json()["data"]}
    assert {name: one["state"] for name, one in found.items()} == {
        "mock": "enabled",
        "openai": found["openai"]["state"],
        "closed": "enabled",
        "unset": "skipped",
    }
    assert "NOBODY_HAS_SET_THIS" in found["unset"]["reason"]
    assert found["openai"]["tenants"] >= 1
    own = {one["name"]: one for one in client.get("/providers", headers=ACME).json()["data"]}
    assert own["openai"]["takes_credentials"]
    assert own["openai"]["credentials"]["untried"] >= 1
    assert not own["closed"]["takes_credentials"]


def test_trying_is_throttled(client: TestClient):
    """Runs last: nobody of this tenant tries again within the minute."""
    umbrella = signed_in("umbrella", "usr_eve")
    answers = [add(client, who=umbrella) for _ in range(2 * PER_MINUTE + 1)]  # a minute may end meanwhile
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert 1 <= int(refused[0].headers["retry-after"]) <= 61
