"""Notices: written with what they tell of, handed out once, delivered like calls to the sinks that hear them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import Undelivered
from gateway.ledger import Ledger
from gateway.ledger import outbox as outbox_module
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.migrate import upgrade
from gateway.store.notices import Notice, hand_out, list_notices, notice, post
from gateway.store.sinks import letters, replay_calls, replay_dead, states
from gateway.store.tables import outbox

from ...plans import plans_of

ME = Actor(kind="command", id="me")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox_module, "_POLL", 0.02)
    monkeypatch.setattr(outbox_module, "_GATHER", 0.001)


class Deaf:
    """A sink that only takes calls."""

    name = "deaf"

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        del records


class Hearing(Deaf):
    """A sink that takes notices too, but those of `refuses`."""

    name = "hearing"

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.heard: list[Mapping[str, Any]] = []
        self.changed = asyncio.Event()

    async def deliver_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        refused = {each["id"]: "no" for each in notices if each["kind"] == self.refuses}
        self.heard += [each for each in notices if each["id"] not in refused]
        self.changed.set()
        if refused:
            raise Undelivered(refused=refused)

    async def has(self, count: int) -> None:
        while len(self.heard) < count:
            self.changed.clear()
            await self.changed.wait()


def refund(number: int, **changes: Any) -> Notice:
    values: dict[str, Any] = {"tenant": "acme", "at": 1000.0 + number, "data": {"amount_nano": number}}
    return notice("refund", number, **{**values, **changes})


async def write(database: Database, *new: Notice) -> None:
    async with database.begin() as connection:
        await post(connection, *new)


async def test_told_twice_is_heard_once(database: Database):
    sink = Hearing()
    ledger = Ledger(database, sinks=[sink, Deaf()])
    await ledger.start()
    await write(database, refund(1), refund(2, user="usr_a"))
    await write(database, refund(1, data={"amount_nano": 99}))
    await sink.has(2)
    await write(database, refund(3))
    await sink.has(3)
    await ledger.stop()
    assert [each["data"] for each in sink.heard] == [{"amount_nano": number} for number in (1, 2, 3)]
    assert sink.heard[1] == {
        "id": refund(2).id,
        "kind": "refund",
        "tenant": "acme",
        "user": "usr_a",
        "time": "1970-01-01T00:16:42.000Z",
        "data": {"amount_nano": 2},
    }
    assert {each.sink: each.waiting for each in await states(database, ["deaf"])} == {"deaf": 0, "hearing": 0}


async def test_several_workers_hand_each_out_once(database: Database):
    await upgrade(database)
    await write(database, *(refund(number) for number in range(20)))
    assert sum(await asyncio.gather(*(hand_out(database, ["a", "b"]) for _ in range(4)))) == 20
    async with database.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(select(outbox.c.sink, outbox.c.call))]
    assert len(rows) == len(set(rows)) == 40


async def test_a_dead_letter_is_sent_again(database: Database):
    sink = Hearing(refuses="refund")
    ledger = Ledger(database, sinks=[sink])
    await ledger.start()
    kept = notice("budget", "b", tenant="acme", at=1.0, data={})
    await write(database, refund(1), kept)
    await sink.has(1)
    while not (dead := await letters(database, sink=None, limit=9)):
        await asyncio.sleep(0.01)
    assert [(each.call, each.error) for each in dead] == [(refund(1).id, "no")]
    sink.refuses = ""
    assert await replay_dead(database, "hearing", ME) == 1
    assert await replay_calls(database, "hearing", [kept.id], ME) == 1
    ledger.write(())  # wakes the sink
    await sink.has(3)
    await ledger.stop()
    assert [each["kind"] for each in sink.heard] == ["budget", "refund", "budget"]


async def test_each_tenant_sees_its_own_newest_first(database: Database):
    await upgrade(database)
    await write(database, refund(1), refund(2), refund(3, tenant="globex"))
    (newest,) = await list_notices(database, "acme", after=None, limit=1)
    assert newest == refund(2)
    assert await list_notices(database, "acme", after=(newest.at, newest.id), limit=9) == [refund(1)]


async def test_looking_for_new_notices_does_not_walk_along_all_the_others(sqlite: Database):
    plans = await plans_of(sqlite, hand_out(sqlite, ["a"]))
    assert [plan for plan in plans if "notices" in plan] == ["SCAN notices USING INDEX notices_new"], plans
