"""The operations of the admin API and the commands, and what keeps tenants apart."""

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
from gateway_subscription import Subscription

from ...gateway.admin.people import CONFIG, People, signed_in

OURS, THEIRS = signed_in("ours", "usr_us"), signed_in("theirs", "usr_them")
OPERATOR = signed_in("default", "usr_op")
ANY = {"if-match": "*"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    path = tmp_path_factory.mktemp("subscription") / "gateway.db"
    config: dict[str, Any] = {
        **CONFIG,
        "gateway": {"database": f"sqlite:///{path}"},
        "billing": {"subscription": {}},
    }
    gateway = Gateway.from_dict(config, plugins=[People, Subscription])
    with TestClient(gateway, base_url="http://gateway/admin/api", raise_server_exceptions=False) as client:
        for tenant in ("ours", "theirs"):
            answer = client.post("/tenants", headers=OPERATOR, json={"id": tenant})
            assert answer.status_code == 201, answer.text
        yield client


def test_a_tenant_sees_and_changes_its_own_alone(client: TestClient) -> None:
    new = {"tenant": "theirs", "plan": "starter", "seats": 2}
    assert client.post("/subscriptions", headers=THEIRS, json=new).status_code == 403
    assert client.post("/subscriptions", headers=OPERATOR, json=new).status_code == 201
    assert client.post("/subscriptions", headers=OPERATOR, json=new).status_code == 409
    assert client.get("/subscription", headers=OURS).status_code == 404
    assert client.get("/subscription/charges", headers=OURS).json()["data"] == []
    assert client.get("/subscriptions/theirs", headers=OURS).status_code == 403
    assert client.post("/subscription/cancel", headers=OURS).status_code == 404
    mine = client.get("/subscription", headers=THEIRS).json()
    assert (mine["plan"], mine["seats"], mine["status"]) == ("starter", 2, "trialing")
    change = {"plan": "professional"}
    viewer = {**signed_in("theirs", "usr_v", "billing.read"), **ANY}
    assert client.patch("/subscription", headers=viewer, json=change).status_code == 403
    stale = {**THEIRS, "if-match": '"0"'}
    assert client.patch("/subscription", headers=stale, json=change).status_code == 412
    answer = client.patch("/subscription", headers={**THEIRS, **ANY}, json=change)
    assert answer.json()["plan"] == "professional", answer.text
    assert client.post("/subscription/cancel", headers=THEIRS).json()["cancel_at_end"] is True
    assert client.post("/subscription/resume", headers=viewer).status_code == 403
    assert client.post("/subscription/resume", headers=THEIRS).json()["cancel_at_end"] is False
    assert client.post("/subscriptions/theirs/resume", headers=THEIRS).status_code == 403
    assert client.post("/subscriptions/theirs/cancel", headers=OPERATOR, json={}).json()["cancel_at_end"]
    resumed = client.post("/subscriptions/theirs/resume", headers=OPERATOR).json()
    assert (resumed["status"], resumed["cancel_at_end"]) == ("trialing", False)
    assert [row["tenant"] for row in client.get("/subscriptions", headers=OPERATOR).json()["data"]] == [
        "theirs"
    ]
    overdue = client.post("/subscriptions/theirs/overdue", headers=OPERATOR, json={"overdue": True})
    assert (overdue.status_code, "in a trial" in overdue.text) == (409, True)
    ended = client.post("/subscriptions/theirs/cancel", headers=OPERATOR, json={"at_end": False})
    assert ended.json()["status"] == "cancelled"
    charges = client.get("/subscription/charges", headers=THEIRS).json()["data"]
    assert [charge["kind"] for charge in charges] == ["trial", "part"]


def test_plans_are_shown(client: TestClient) -> None:
    plans = client.get("/plans", headers=OURS).json()["data"]
    assert [plan["id"] for plan in plans] == ["free", "starter", "professional", "enterprise"]
    assert plans[1]["price"] == "19"


def test_who_has_none_is_told_in_the_clients_words(client: TestClient) -> None:
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello?"}]}
    answer = client.post("http://gateway/v1/chat/completions", headers=OURS, json=body)
    assert answer.status_code == 402
    assert answer.json()["error"]["code"] == "subscription_required"
    assert answer.headers["x-should-retry"] == "false"


def test_the_commands_do_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins.toml").write_text("[provider.mock]\n[billing.subscription]\n")

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, [*words])
        assert result.exit_code == code, result.output
        return result.output

    words = next(line for line in run("plans", "list").splitlines() if line.startswith("starter"))
    assert words.split() == ["starter", "19", "USD/month", "20", "refuse", "up", "to", "5", "14", "days"]
    starter = [json.loads(line) for line in run("plans", "list", "--json").splitlines()][1]
    assert (starter["id"], starter["price"], starter["grace_days"]) == ("starter", "19", 7)
    assert json.loads(run("plans", "show", "free"))["most_seats"] == 1
    assert "no subscriptions" in run("subscriptions", "list")
    run("tenants", "create", "acme")
    assert "acme  enterprise, 3 seats  active" in run(
        "subscriptions", "create", "acme", "enterprise", "--seats", "3"
    )
    assert "next period" in run("subscriptions", "change", "acme", "starter", code=1)
    assert "then starter" in run("subscriptions", "change", "acme", "starter", "--at-end")
    assert "then it ends" in run("subscriptions", "cancel", "acme")
    assert "then" not in run("subscriptions", "resume", "acme")
    assert "never subscribed" in run("subscriptions", "charges", "default")
    (charge,) = [json.loads(line) for line in run("subscriptions", "charges", "acme", "--json").splitlines()]
    assert (charge["kind"], charge["amount"], charge["included"]) == ("period", "29970", "36000")
    table = run("subscriptions", "charges", "acme").splitlines()
    begin, end = charge["start"][:10], charge["end"][:10]
    assert table[1].split() == ["period", "enterprise", "3", begin, end, "29970", "USD", "36000"]
    assert "acme  enterprise, 3 seats  active" in run("subscriptions", "show", "acme")
    assert "no subscription" in run("subscriptions", "show", "default", code=1)
    assert "past_due" in run("subscriptions", "overdue", "acme")
    assert json.loads(run("subscriptions", "list", "--json"))["status"] == "past_due"
    assert "past_due" in run("subscriptions", "list")
    assert json.loads(run("subscriptions", "cancel", "acme", "--now", "--json"))["status"] == "cancelled"
    assert "did you mean 'acme'?" in run("subscriptions", "create", "acne", "free", code=1)
