"""Names of models made, changed and disabled by the admin API, while calls run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from httpx2 import Response
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.cli import main
from gateway.store.audit import Actor
from gateway.store.tenants import create_tenant

from .people import CONFIG, People, signed_in

OPERATOR = signed_in()
ANY = {**OPERATOR, "if-match": "*"}
ACME = signed_in("acme", "usr_eve", "member")
CALLER = signed_in("default", "usr_bob", "member")
PATH = "/admin/api/gateway/models"


def config(folder: Path) -> dict[str, Any]:
    return {
        **CONFIG,
        "gateway": {"database": f"sqlite:///{folder / 'gateway.db'}"},
        "provider": {
            "mock": {},
            "second": {"use": "mock"},
            "unset": {"use": "openai", "api_key": {"env": "NOBODY_HAS_SET_THIS"}},
        },
        "models": {"fast": {"targets": ["mock:from-the-config"]}},
    }


class Workers:
    """Two of them, on one database."""

    def __init__(self, first: TestClient, second: TestClient) -> None:
        self.first = first
        self.second = second

    def make(self, id: str, **body: Any) -> Response:
        return self.first.post(PATH, headers=OPERATOR, json={"id": id, **body})

    def calls(self, model: str, expected: str | int, who: dict[str, str] = CALLER) -> None:
        """See that both workers come to call this target, or to answer with this status, within a second or so."""
        for client in (self.first, self.second):
            deadline = time.monotonic() + 20
            while (found := self._call(client, model, who)) != expected and time.monotonic() < deadline:
                time.sleep(0.05)
            assert found == expected

    def _call(self, client: TestClient, model: str, who: dict[str, str]) -> str | int:
        body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
        answer = client.post("/v1/chat/completions", headers=who, json=body)
        return answer.json()["model"] if answer.status_code == 200 else answer.status_code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("names")


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Workers]:
    one, two = (Gateway.from_dict(config(folder), plugins=[People]) for _ in range(2))
    with (
        TestClient(one, base_url="http://gateway") as first,
        TestClient(two, base_url="http://gateway") as second,
    ):
        assert first.portal is not None
        actor = Actor(kind="command", id="test")
        first.portal.call(lambda: create_tenant(one._context.database, "acme", actor=actor))
        yield Workers(first, second)


@pytest.fixture(autouse=True)
def _empty(workers: Workers) -> Iterator[None]:
    yield
    for entry in workers.first.get(PATH, headers=OPERATOR, params={"source": "api"}).json()["data"]:
        assert workers.first.delete(f"{PATH}/{entry['id']}", headers=ANY).status_code == 204


def test_a_name_lives_and_dies_on_all_workers(workers: Workers):
    workers.calls("mine", 404)
    made = workers.make("mine", targets=["mock:one", {"to": "second:two", "tier": 2}])
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{PATH}/mine"
    assert made.json()["targets"] == [
        {"to": "mock:one", "weight": 1, "tier": 1},
        {"to": "second:two", "weight": 1, "tier": 2},
    ]
    workers.calls("mine", "one")
    listed = workers.second.get("/v1/models", headers=CALLER).json()["data"]
    assert "mine" in [model["id"] for model in listed]
    path, tag = f"{PATH}/mine", made.headers["etag"]
    changed = workers.first.patch(
        path, headers={**OPERATOR, "if-match": tag}, json={"targets": ["second:other"]}
    )
    assert changed.json()["targets"][0]["to"] == "second:other"
    workers.calls("mine", "other")
    stale = workers.first.patch(path, headers={**OPERATOR, "if-match": tag}, json={"enabled": False})
    assert stale.status_code == 412
    assert workers.first.patch(path, headers=ANY, json={"enabled": False}).json()["enabled"] is False
    workers.calls("mine", 404)
    assert workers.first.patch(path, headers=ANY, json={"enabled": True}).status_code == 200
    workers.calls("mine", "other")
    assert workers.first.delete(path, headers=ANY).status_code == 204
    workers.calls("mine", 404)
    assert workers.first.get(path, headers=OPERATOR).status_code == 404
    actions = [
        entry["action"]
        for entry in workers.first.get("/admin/api/gateway/audit", headers=OPERATOR).json()["data"]
        if entry["action"].startswith("model.")
    ]
    assert actions == ["model.remove", "model.change", "model.change", "model.change", "model.create"]


def test_one_of_the_config_is_replaced_and_comes_back(workers: Workers):
    workers.calls("fast", "from-the-config")
    assert workers.make("fast", targets=["second:replaced"]).json()["in_config"] is True
    workers.calls("fast", "replaced")
    effective = workers.second.get("/admin/api/gateway/config", headers=OPERATOR).json()["models"]["fast"]
    assert (effective["source"], effective["targets"][0]["to"]) == ("api", "second:replaced")
    assert workers.first.delete(f"{PATH}/fast", headers=ANY).status_code == 204
    workers.calls("fast", "from-the-config")
    shown = workers.first.get(f"{PATH}/fast", headers=OPERATOR).json()
    assert (shown["source"], shown["revision"]) == ("config", 0)


@pytest.mark.parametrize("name", ["fast", "mock/echo"])
def test_whatever_can_be_called_can_be_disabled(workers: Workers, name: str):
    workers.calls(name, "from-the-config" if name == "fast" else "echo")
    assert workers.make(name, enabled=False).status_code == 201
    workers.calls(name, 404)
    told = workers.first.get("/v1/models", headers=CALLER).json()["data"]
    assert name not in [model["id"] for model in told]
    assert workers.first.patch(f"{PATH}/{name}", headers=ANY, json={"enabled": True}).status_code == 200
    workers.calls(name, "from-the-config" if name == "fast" else "echo")


def test_a_disabled_model_is_left_out_wherever_a_name_leads_to_it(workers: Workers):
    assert workers.make("both", targets=["mock:echo", "second:other"]).status_code == 201
    workers.calls("both", "echo")
    workers.calls("echo", "echo")
    assert workers.make("mock/echo", enabled=False).status_code == 201
    workers.calls("both", "other")
    workers.calls("echo", 404)


def test_a_callers_list_of_models_holds(workers: Workers):
    assert workers.make("secret", targets=["mock:one"]).status_code == 201
    workers.calls("secret", "one", ACME)

    def allow(models: list[str] | None) -> None:
        answer = workers.first.patch("/admin/api/tenants/acme", headers=ANY, json={"models": models})
        assert answer.status_code == 200

    allow(["fast"])
    try:
        workers.calls("secret", 403, ACME)
        workers.calls("fast", "from-the-config", ACME)
    finally:
        allow(None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "serach=x",
            "serach: There is no such name, did you mean 'search'? There are: cursor, enabled, limit",
        ),
        ("enabled=maybe", "enabled: Input should be a valid boolean"),
    ],
)
def test_a_filter_that_is_none_is_told_with_those_there_are(workers: Workers, query: str, words: str):
    answer = workers.first.get(f"{PATH}?{query}", headers=OPERATOR)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": "new"}, "neither the config nor a provider has 'new'"),
        ({"id": "new", "targets": ["nobody:x"]}, "targets.0: unknown provider 'nobody'"),
        ({"id": "new", "targets": ["mock:x", "mok:x"]}, "targets.1: unknown provider 'mok', did you mean"),
        ({"id": "new", "targets": ["no-colon"]}, "targets.0"),
        ({"id": "new", "targets": [{"to": "mock:x", "wight": 2}]}, "wight"),
        ({"id": "new", "targets": ["mock:x"], "policy": "random"}, "policy"),
        ({"id": "", "targets": ["mock:x"]}, "id"),
    ],
)
def test_what_cannot_be_is_refused(workers: Workers, body: dict[str, Any], words: str):
    answer = workers.first.post(PATH, headers=OPERATOR, json=body)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]


def test_the_same_request_again_makes_one(workers: Workers):
    headers = {**OPERATOR, "idempotency-key": "once"}
    answers = [
        workers.first.post(PATH, headers=headers, json={"id": "once", "targets": ["mock:x"]}) for _ in "ab"
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert workers.make("once", targets=["mock:x"]).status_code == 409


def test_names_have_pages_and_filters(workers: Workers):
    for name in ("beta", "alpha", "org/ä b"):
        made = workers.make(name, targets=["mock:x"])
        assert workers.first.get(made.headers["location"], headers=OPERATOR).json()["id"] == name
    found: list[str] = []
    cursor = None
    while True:
        query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = workers.first.get(PATH, headers=OPERATOR, params=query).json()
        found += [entry["id"] for entry in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ["alpha", "beta", "fast", "org/ä b"]
    for query, expected in (
        ({"source": "config"}, ["fast"]),
        ({"search": "ALP"}, ["alpha"]),
        ({"enabled": "false"}, []),
    ):
        page = workers.first.get(PATH, headers=OPERATOR, params=query).json()
        assert [entry["id"] for entry in page["data"]] == expected


def test_only_the_operators_may(workers: Workers):
    for who in (CALLER, signed_in("acme", "usr_eve", "owner"), signed_in("default", "usr_x", "models.read")):
        assert workers.first.get(PATH, headers=who).status_code == 403
        assert workers.first.post(PATH, headers=who, json={"id": "x"}).status_code == 403


def test_the_command_tells_where_a_name_is_from(workers: Workers, folder: Path):
    (folder / "plugins.toml").write_text(
        '[provider.mock]\n[models.fast]\ntargets = ["mock:from-the-config"]\n'
    )
    assert workers.make("fast", targets=["mock:x"]).status_code == 201
    assert workers.make("mock/echo", enabled=False).status_code == 201

    def run(*options: str) -> str:
        command = ["-c", str(folder / "plugins.toml"), "models", "names", *options]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    told = [json.loads(line) for line in run("--json").splitlines()]
    assert [(one["id"], one["source"], one["targets"], one["enabled"]) for one in told] == [
        ("fast", "api", ["mock:x"], True),
        ("mock/echo", "api", [], False),
    ]
    assert "api, over config" in run()
