"""What somebody has used, and what credit is left, as the hub's pages and command line ask."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.store.tables import model_calls
from gateway_aigne import Aigne

from ... import scratch
from .conftest import Hub


@pytest.fixture(scope="module", params=scratch.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with scratch.database(request.param, tmp_path_factory.mktemp("paid")) as url:
        yield url


@pytest.fixture(scope="module")
def paid(database_url: str) -> Generator[Hub]:
    """A gateway where each user has an account, with a welcome of five credits."""
    config: dict[str, Any] = {
        "gateway": {
            "database": database_url,
            "failures_per_minute": 0,
            "identity": {"sign_up": "open", "sign_up_tenant": "acme"},
            "prices": {"unknown": "fallback", "fallback_input": 1000, "fallback_output": 1000},
        },
        "auth": {"component": {"authorities": ["testserver"]}, "apikey": {}},
        "billing": {
            "credits": {"per": "user", "welcome": 5, "payment_url": "https://pay.example/{tenant}/{user}"}
        },
        "service": {"aigne": {}},
        "provider": {"mock": {}},
    }
    gateway = Gateway.from_dict(config, plugins=[Aigne])
    with TestClient(gateway, raise_server_exceptions=False) as client:
        yield Hub(gateway, client)


def chat(hub: Hub, who: Any, words: str = "hello there", model: str = "mock/echo") -> None:
    body = {"input": {"messages": [{"role": "user", "content": words}], "modelOptions": {"model": model}}}
    answer = hub.post("/api/v2/chat", body, who)
    assert answer.status_code == 200, answer.text


def spent(hub: Hub, who: Any) -> float:
    """What all calls of somebody were charged."""
    return sum(float(call["credits"]) for call in hub.settled(who))


def test_a_newcomer_has_the_welcome_and_a_place_to_pay(paid: Hub) -> None:
    ann = paid.person("ann")
    info = paid.get("/api/user/info", ann.bearer).json()
    assert info["enableCredit"] is True
    expected = {"balance": "5", "total": "5", "used": "0", "grantCount": 1, "pendingCredit": "0"}
    assert info["creditBalance"] == expected
    assert info["paymentLink"] == f"https://pay.example/acme/{ann.user}"
    assert info["currency"]["decimal"] == 9
    assert paid.get("/api/user/credit/payment-link", ann.bearer).json() == info["paymentLink"]
    quota = paid.get("/api/usage/quota", ann.bearer).json()
    assert (quota["total"], quota["remaining"], quota["estimatedDaysRemaining"]) == (5, 5, 999)


def test_what_was_used_is_gone_from_the_balance(paid: Hub) -> None:
    bob, carol = paid.person("bob"), paid.person("carol")
    key = paid.key(owner=bob.user)
    for who in (bob.bearer, key, key):
        chat(paid, who)
    chat(paid, carol.bearer)
    used = spent(paid, bob.bearer)
    assert used > 0
    for who in (bob.bearer, key):
        balance = paid.get("/api/user/credit/balance", who).json()
        assert float(balance["total"]) == 5
        assert float(balance["used"]) == pytest.approx(used)
        assert float(balance["balance"]) == pytest.approx(5 - used)
    quota = paid.get("/api/usage/quota?timeRange=10", bob.bearer).json()
    assert quota["used"] == pytest.approx(used)
    assert quota["dailyAvgCredits"] == pytest.approx(used / 10), (
        "over the days that are asked for, not over 30"
    )
    assert quota["estimatedDaysRemaining"] == min(999, int((5 - used) / (used / 10)))
    booked = paid.get("/api/user/credit/transactions?pageSize=2", bob.bearer).json()
    assert (len(booked["list"]), booked["count"] > 2) == (2, True)
    assert all(float(entry["credit_amount"]) < 0 for entry in booked["list"])
    (welcome,) = paid.get("/api/user/credit/grants", bob.bearer).json()["list"]
    assert (welcome["category"], welcome["amount"]) == ("promotional", "5")


def test_usage_is_told_by_model_and_key_and_day(paid: Hub) -> None:
    dan = paid.person("dan")
    key = paid.key(owner=dan.user)
    for who, model in (
        (dan.bearer, "mock/echo"),
        (key, "mock/echo"),
        (key, "mock/echo"),
        (key, "mock/other"),
    ):
        chat(paid, who, model=model)
    used = spent(paid, dan.bearer)
    times = f"startTime={int(time.time()) - 3600}&endTime={int(time.time()) + 3600}"
    stats = paid.get(f"/api/user/usage-stats?{times}", dan.bearer).json()["modelStats"]
    assert [(one["model"], one["totalCalls"]) for one in stats["list"]] == [("echo", 3), ("other", 1)]
    assert stats["totalModelCount"] == 2
    listed = paid.get(f"/api/usage/projects?{times}", dan.bearer).json()
    assert [(one["appName"], one["totalCalls"]) for one in listed["projects"]] == [
        ("a key", 3),
        ("Signed in", 1),
    ]
    assert sum(one["totalCredits"] for one in listed["projects"]) == pytest.approx(used)
    assert {one["successRate"] for one in listed["projects"]} == {100}
    second = paid.get(f"/api/usage/projects?{times}&page=2&pageSize=1", dan.bearer).json()
    assert (second["projects"], second["total"]) == (listed["projects"][1:], 2)
    app = listed["projects"][0]["appDid"]
    grouped = paid.get("/api/usage/projects/group-trends", dan.bearer).json()
    assert grouped["granularity"] == "day"
    assert sum(moment["byProject"][app]["totalCalls"] for moment in grouped["trends"]) == 3
    trend = paid.get(f"/api/usage/projects/trends?appDid={app}&{times}", dan.bearer).json()
    assert trend["project"]["appName"] == "a key"
    assert sum(moment["calls"] for moment in trend["trends"]) == 3
    assert all(moment["timestamp"] % 3600 == 0 for moment in trend["trends"]), "hours, for a single day"
    calls = paid.get(f"/api/usage/projects/calls?appDid={app}&{times}", dan.bearer).json()
    assert (calls["count"], {call["appDid"] for call in calls["list"]}) == (3, {app})
    assert paid.get("/api/usage/projects/trends", dan.bearer).status_code == 400


def test_days_are_those_of_the_client(paid: Hub) -> None:
    eve = paid.person("eve")
    chat(paid, eve.bearer)
    (call,) = paid.settled(eve.bearer)
    noon = (int(time.time()) // 86_400 - 1) * 86_400 + 12 * 3600 + 1800

    async def move() -> None:
        async with paid.context.database.begin() as connection:
            moved = update(model_calls).where(model_calls.c.id == call["id"])
            await connection.execute(moved.values(received_at=float(noon)))

    paid.run(move)
    # The id still tells when it came in truth, so the time that is asked for must hold both.
    for minutes, start in (
        (0, noon - 12 * 3600 - 1800),
        (-540, noon - 12 * 3600 - 1800 + 15 * 3600 - 86_400),
    ):
        trend = paid.get(f"/api/usage/projects/group-trends?timezoneOffset={minutes}", eve.bearer).json()
        assert [moment["timestamp"] for moment in trend["trends"]] == [start], minutes


def test_other_peoples_usage_takes_a_permission(paid: Hub) -> None:
    finn, gwen = paid.person("finn"), paid.person("gwen")
    chat(paid, finn.bearer)
    paid.settled(finn.bearer)
    reader = paid.key(scopes=("calls.make", "calls.read"))
    paths = ("/api/usage/projects?allUsers=true", "/api/usage/trends", "/api/user/admin/user-stats")
    for path in paths:
        assert paid.get(path, gwen.bearer).status_code == 403, path
        assert paid.get(path, reader).status_code == 200, path
    assert paid.get("/api/usage/projects", gwen.bearer).json()["projects"] == []
    stranger = paid.key("elsewhere", scopes=("calls.make", "calls.read"))
    assert paid.get("/api/usage/trends", stranger).json() == {"trends": []}
    for path in ("quota", "projects", "projects/trends?appDid=x", "projects/group-trends"):
        assert paid.get(f"/api/usage/{path}").status_code == 401, path


@pytest.mark.parametrize(
    "query", ["startTime=1", "timeRange=93", "timezoneOffset=9000", "timezoneOffset=x", "endTime=soon"]
)
def test_a_time_that_cannot_be_added_up_is_refused(paid: Hub, query: str) -> None:
    answer = paid.get(f"/api/usage/projects?{query}", paid.key())
    name = query.partition("=")[0]
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == {"timeRange": "startTime"}.get(name, name)


def test_without_credits_there_is_usage_and_no_balance(hub: Hub) -> None:
    key = hub.key("free")
    body = {
        "input": {"messages": [{"role": "user", "content": "hi"}], "modelOptions": {"model": "mock/echo"}}
    }
    assert hub.post("/api/v2/chat", body, key).status_code == 200
    hub.settled(key)
    quota = hub.get("/api/usage/quota", key).json()
    assert (quota["total"], quota["remaining"], quota["currency"]) == (0, 0, None)
    assert hub.get("/api/user/credit/balance", key).json()["balance"] == "0"
    assert hub.get("/api/user/credit/grants", key).json()["list"] == []
    assert hub.get("/api/user/credit/payment-link", key).json() is None
    (project,) = hub.get("/api/usage/projects", key).json()["projects"]
    assert project["totalCalls"] == 1


def test_a_component_learns_what_it_has_used(hub: Hub) -> None:
    signer = hub.component()

    def get(path: str) -> Any:
        return hub.get(path, signer.headers("GET", f"http://testserver{path}"))

    ends = time.monotonic() + 20
    while (status := get("/api/app/status")).status_code == 401:
        assert time.monotonic() < ends, "workers learn of a new component"
    assert status.json()["id"]
    assert get("/api/app/usage").json() == {"list": []}
    robot = hub.service("robots")
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": "hi"}]}
    assert hub.post("/api/v1/chat/completions", body, robot).status_code == 200
    hub.settled(robot)
    (used,) = hub.get("/api/app/usage", robot).json()["list"]
    assert (used["model"], used["promptTokens"] > 0, len(used["date"])) == ("echo", True, 10)
    assert hub.get("/api/app/usage", hub.key()).status_code == 403
