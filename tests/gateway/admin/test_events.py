"""Events in the admin API: a tenant's own, and for operators how sinks take them, their dead letters, sending again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.errors import Undelivered
from gateway.store.notices import notice, post
from gateway.testing.fakes import FakeProvider, plugin_with

from .people import People, signed_in

OPERATOR = signed_in("default", "usr_op", "gateway.billing")
CHAT = {"model": "fake/good", "messages": [{"role": "user", "content": "hi"}]}


class Picky:
    """A sink that takes nothing at first, and all once it is content."""

    name = "picky"

    def __init__(self) -> None:
        self.content = False
        self.taken: list[str] = []

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        if not self.content:
            raise Undelivered(refused={each["id"]: "not like that" for each in records})
        self.taken += [each["id"] for each in records]

    async def deliver_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        await self.deliver(notices)


@pytest.fixture(scope="module")
def sink() -> Picky:
    return Picky()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, sink: Picky) -> Iterator[TestClient]:
    path: Path = tmp_path_factory.mktemp("events") / "gateway.db"
    plugins = [
        People,
        plugin_with("provider.fake", register_providers=[FakeProvider()]),
        plugin_with("sink.picky", register_sinks=[sink]),
    ]
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{path}"},
        "auth": {"people": {}},
        "provider": {"fake": {}},
        "sink": {"picky": {}},
    }
    gateway = Gateway.from_dict(config, plugins=plugins)
    with TestClient(gateway, base_url="http://gateway/admin/api", raise_server_exceptions=False) as client:
        told = [
            notice("refund", number, tenant=tenant, at=100.0 + number, data={"amount_nano": number})
            for number, tenant in enumerate(("acme", "acme", "other"))
        ]

        async def tell() -> None:
            async with gateway._context.database.begin() as connection:
                await post(connection, *told)

        assert client.portal is not None
        client.portal.call(tell)
        caller = signed_in("acme", "usr_ann", "calls.make")
        made = client.post("http://gateway/v1/chat/completions", json=CHAT, headers=caller)
        assert made.status_code == 200
        yield client


def until_dead(client: TestClient, count: int) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        (found,) = client.get("/gateway/sinks", headers=OPERATOR).json()["data"]
        if (found["dead"], found["waiting"]) == (count, 0):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_tenant_sees_its_own_events(client: TestClient) -> None:
    reader = signed_in("acme", "usr_ann", "billing.read")
    first = client.get("/events?limit=1", headers=reader).json()
    assert [(each["kind"], each["at"], each["data"]) for each in first["data"]] == [
        ("refund", "1970-01-01T00:01:41Z", {"amount_nano": 1})
    ]
    rest = client.get(f"/events?cursor={first['next_cursor']}", headers=reader).json()
    assert [each["data"]["amount_nano"] for each in rest["data"]] == [0]
    assert rest["next_cursor"] is None
    assert client.get("/events", headers=signed_in("acme", "usr_ann", "calls.read")).status_code == 403


def test_what_a_sink_does_not_take_is_shown_and_sent_again(client: TestClient, sink: Picky) -> None:
    found = until_dead(client, 4)
    assert (found["name"], found["configured"], found["delivered"]) == ("picky", True, 0)
    page = client.get("/gateway/sinks/picky/dead-letters?limit=3", headers=OPERATOR).json()
    rest = client.get(
        f"/gateway/sinks/picky/dead-letters?cursor={page['next_cursor']}", headers=OPERATOR
    ).json()
    letters = [*page["data"], *rest["data"]]
    assert len({letter["id"] for letter in letters}) == 4
    assert {letter["error"] for letter in letters} == {"not like that"}

    sink.content = True
    one = letters[0]["id"]
    for what, sent in (({"ids": [one, "call_none"]}, 1), ({"dead": True}, 3), ({"dead": True}, 0)):
        answer = client.post("/gateway/sinks/picky/replay", json=what, headers=OPERATOR)
        assert (answer.status_code, answer.json()) == (200, {"sent": sent})
    assert until_dead(client, 0)["delivered"] == 4
    assert sorted(sink.taken) == sorted(letter["id"] for letter in letters)
    since = {"since": "1970-01-01T00:00:00Z", "until": "1970-01-02T00:00:00Z"}
    again = client.post("/gateway/sinks/picky/replay", json=since, headers=OPERATOR)
    assert again.json() == {"sent": 3}


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/gateway/sinks/none/replay", {"dead": True}, 404, "There are: picky."),
        ("/gateway/sinks/picky/replay", {}, 422, "give one of"),
        ("/gateway/sinks/picky/replay", {"dead": True, "ids": ["x"]}, 422, "give one of"),
        ("/gateway/sinks/picky/replay", {"dead": True, "until": "2026-01-01T00:00:00Z"}, 422, "goes with"),
        ("/gateway/sinks/picky/replay", {"since": "2026-01-01T00:00:00"}, 422, "offset from UTC"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    client: TestClient, path: str, body: dict[str, Any], status: int, told: str
) -> None:
    answer = client.post(path, json=body, headers=OPERATOR)
    assert answer.status_code == status, answer.text
    assert told in answer.text
    assert client.post(path, json=body, headers=signed_in("acme")).status_code == 403
