"""`/budgets` of the admin API and `gateway budgets`: setting, showing, and keeping tenants apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.cli import main
from gateway_budgets import Budgets

from ...gateway.admin.people import CONFIG, People, signed_in

PRICES = {"unknown": "fallback", "fallback_input": 1, "fallback_output": 1}
OURS, THEIRS = signed_in("ours", "usr_us"), signed_in("theirs", "usr_them")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path = tmp_path_factory.mktemp("budgets") / "gateway.db"
    config: dict[str, Any] = {
        **CONFIG,
        "gateway": {"database": f"sqlite:///{path}", "prices": PRICES},
        "billing": {"budgets": {}},
    }
    gateway = Gateway.from_dict(config, plugins=[People, Budgets])
    with TestClient(gateway, base_url="http://gateway/admin/api", raise_server_exceptions=False) as client:
        yield client


def look(client: TestClient) -> None:
    """Let the gateway see at once what has changed."""
    gateway: Any = client.app
    assert client.portal is not None
    client.portal.call(gateway._context.changes.look)


def made(client: TestClient, headers: dict[str, str], **body: Any) -> Any:
    answer = client.post("/budgets", headers=headers, json={"scope": "tenant", "amount": "5", **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_budget_is_set_shown_changed_and_removed(client: TestClient) -> None:
    budget = made(client, OURS, amount="12.5", period="week", time_zone="Asia/Tokyo")
    assert {name: budget[name] for name in ("amount", "spent", "reserved", "left", "kind", "alerts")} == {
        "amount": "12.5",
        "spent": "0",
        "reserved": "0",
        "left": "12.5",
        "kind": "hard",
        "alerts": [],
    }
    assert budget["period_start"].endswith("T15:00:00Z")
    path = f"/budgets/{budget['id']}"
    assert client.get(path, headers=OURS).json() == budget
    again = client.post("/budgets", headers=OURS, json={"scope": "tenant", "amount": "1", "period": "week"})
    assert again.status_code == 409
    change = {"amount": "0.000000001", "kind": "soft"}
    changed = client.patch(path, headers={**OURS, "if-match": "*"}, json=change)
    assert (changed.json()["amount"], changed.json()["kind"]) == ("0.000000001", "soft")
    assert client.delete(path, headers={**OURS, "if-match": f'"{budget["revision"]}"'}).status_code == 412
    assert client.delete(path, headers={**OURS, "if-match": "*"}).status_code == 204
    assert client.get(path, headers=OURS).status_code == 404


def test_tenants_do_not_see_each_others(client: TestClient) -> None:
    budget = made(client, THEIRS)
    path = f"/budgets/{budget['id']}"
    match = {**OURS, "if-match": "*"}
    assert client.get("/budgets", headers=OURS).json()["data"] == []
    assert client.get("/budgets", headers=THEIRS).json()["data"] == [budget]
    for refused in (
        client.get(path, headers=OURS),
        client.patch(path, headers=match, json={"amount": "9"}),
        client.delete(path, headers=match),
    ):
        assert refused.status_code == 404
    assert client.get(path, headers=THEIRS).json() == budget
    viewer = signed_in("theirs", "usr_v", "viewer")
    assert client.get(path, headers=viewer).status_code == 403
    reader = signed_in("theirs", "usr_r", "billing.read")
    assert client.get(path, headers=reader).status_code == 200
    assert client.delete(path, headers={**reader, "if-match": "*"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"scope": "tenant", "amount": "0"}, 400, "more than 0"),
        ({"scope": "tenant", "amount": "0.0000000001"}, 400, "9 decimals"),
        ({"scope": "tenant", "amount": "NaN"}, 400, "more than 0"),
        ({"scope": "tenant", "amount": "1e99"}, 400, "at most"),
        ({"scope": "tenant", "amount": "many"}, 422, "decimal number"),
        ({"scope": "tenant", "amount": "1", "subject": "x"}, 400, "no subject"),
        ({"scope": "tenant", "amount": "1", "time_zone": "Mars"}, 400, "time zone"),
        ({"scope": "user", "amount": "1"}, 400, "user of a budget"),
        ({"scope": "team", "amount": "1", "subject": "team_x"}, 404, "team"),
        ({"scope": "key", "amount": "1", "subject": "key_x"}, 404, "API key"),
    ],
)
def test_what_is_no_budget_is_refused(client: TestClient, body: Any, status: int, word: str) -> None:
    answer = client.post("/budgets", headers=OURS, json=body)
    assert answer.status_code in {status, 400}, answer.text
    assert word in answer.text


def test_a_refused_call_is_told_in_the_clients_words(client: TestClient) -> None:
    caller = signed_in("spender", "usr_s")
    budget = made(client, caller, amount="0.000000001")
    look(client)
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello?"}]}
    answer = client.post("http://gateway/v1/chat/completions", headers=caller, json=body)
    assert answer.status_code == 402, answer.text
    assert answer.json()["error"]["code"] == "budget_exceeded"
    assert answer.headers["x-should-retry"] == "false"
    standing = client.get(f"/budgets/{budget['id']}", headers=caller).json()
    assert (standing["spent"], standing["reserved"]) == ("0", "0")
    client.patch(f"/budgets/{budget['id']}", headers={**caller, "if-match": "*"}, json={"amount": "1000"})
    look(client)
    assert client.post("http://gateway/v1/chat/completions", headers=caller, json=body).status_code == 200


def test_the_commands_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins.toml").write_text("[provider.mock]\n[billing.budgets]\n")

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["budgets", *words])
        assert result.exit_code == code, result.output
        return result.output

    assert "has no budgets" in run("list")
    assert "tenant  25/month UTC  hard" in run("set", "25/month")
    assert "tenant  30/month UTC  soft" in run("set", "30/month", "--soft")
    assert "remove it first" in run("set", "30/month", "--time-zone", "Asia/Tokyo", code=1)
    assert "model openai/*  7.5/day" in run("set", "7.5/day", "--model", "openai/*")
    assert "one of --key" in run("set", "1/day", "--user", "ann", "--model", "x", code=2)
    assert "write credits and period" in run("set", "25", code=2)
    rows = [json.loads(line) for line in run("status", "--json").splitlines()]
    assert {(row["scope"], row["amount"], row["left"]) for row in rows} == {
        ("tenant", "30", "30"),
        ("model", "7.5", "7.5"),
    }
    for row in rows:
        assert "Removed" in run("remove", row["id"])
    assert run("list", "--json") == ""
