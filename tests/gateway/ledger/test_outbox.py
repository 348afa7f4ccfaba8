"""The outbox: settled calls reach every sink, at least once, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.ledger import Ledger
from gateway.ledger import outbox as outbox_module
from gateway.store import Database
from gateway.store.calls import as_record, get_call
from gateway.store.tables import outbox, sink_leases
from gateway.types import Call, Outcome

MakeCall = Callable[..., Call]
MakeOutcome = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(outbox_module, "_POLL", 0.05)
    monkeypatch.setattr(outbox_module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(outbox_module, "_GATHER", 0.001)


class Collector:
    """A sink that keeps what it is given, and fails as often as it is told."""

    def __init__(self, name: str = "events", failures: int = 0) -> None:
        self.name = name
        self.failures = failures
        self.records: list[Mapping[str, Any]] = []
        self.tries = 0
        self.changed = asyncio.Event()

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.tries += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the far side is away")
        self.records += records
        self.changed.set()

    @property
    def ids(self) -> list[Any]:
        return [record["id"] for record in self.records]

    async def has(self, count: int) -> None:
        while len(self.records) < count:
            self.changed.clear()
            await self.changed.wait()


class Hanging(Collector):
    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        await asyncio.Event().wait()


async def settle(ledger: Ledger, calls: Sequence[Call], make_outcome: MakeOutcome) -> None:
    for call in calls:
        await ledger.open(call)
        ledger.settle(call, make_outcome())


async def waiting(database: Database) -> int:
    async with database.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(outbox))).scalar_one()


async def test_settled_calls_reach_every_sink_in_order(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    sinks = [Collector("a"), Collector("b")]
    ledger = Ledger(database, sinks=sinks)
    await ledger.start()
    calls = [make_call() for _ in range(250)]
    await settle(ledger, calls, make_outcome)
    for sink in sinks:
        await sink.has(250)
        assert sink.ids == [call.id for call in calls]
    await ledger.stop()
    row = await get_call(database, calls[0].id)
    assert row is not None
    assert sinks[0].records[0] == as_record(row)
    assert await waiting(database) == 0


async def test_an_open_call_is_not_told(database: Database, make_call: MakeCall, make_outcome: MakeOutcome):
    sink = Collector()
    ledger = Ledger(database, sinks=[sink])
    await ledger.start()
    await ledger.open(make_call())
    done = make_call()
    await settle(ledger, [done], make_outcome)
    await sink.has(1)
    await ledger.stop()
    assert sink.ids == [done.id]


async def test_a_failing_sink_gets_them_later_and_delays_no_other(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome, caplog: pytest.LogCaptureFixture
):
    failing, hanging, good = Collector("failing", failures=3), Hanging("hanging"), Collector("good")
    ledger = Ledger(database, sinks=[hanging, failing, good])
    await ledger.start()
    calls = [make_call() for _ in range(5)]
    await settle(ledger, calls, make_outcome)
    await good.has(5)
    await failing.has(5)
    assert failing.ids == good.ids == [call.id for call in calls]
    assert failing.tries >= 4
    assert "sink 'failing' took nothing" in caplog.text
    await ledger.stop(0.2)
    assert await waiting(database) == 5


async def test_what_was_not_delivered_comes_after_the_next_start(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    ledger = Ledger(database, sinks=[Hanging("events")])
    await ledger.start()
    calls = [make_call() for _ in range(3)]
    await settle(ledger, calls, make_outcome)
    await ledger.stop(0.1)
    sink = Collector("events")
    again = Ledger(database, sinks=[sink])
    await again.start()
    await sink.has(3)
    await again.stop()
    assert sink.ids == [call.id for call in calls]


async def test_stopping_delivers_what_is_there(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    sink = Collector()
    ledger = Ledger(database, sinks=[sink])
    await ledger.start()
    calls = [make_call() for _ in range(230)]
    await settle(ledger, calls, make_outcome)
    await ledger.stop()
    assert sink.ids == [call.id for call in calls]
    async with database.connect() as connection:
        assert (await connection.execute(select(sink_leases))).all() == []


async def test_of_several_workers_one_delivers_at_a_time(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    busy: set[str] = set()
    delivered: list[str] = []

    class Exclusive(Collector):
        async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
            assert not busy
            busy.add("here")
            await asyncio.sleep(0)
            delivered.extend(record["id"] for record in records)
            busy.clear()

    ledgers = [Ledger(database, sinks=[Exclusive()]) for _ in range(3)]
    await asyncio.gather(*(ledger.start() for ledger in ledgers))
    calls = [make_call() for _ in range(60)]
    await asyncio.gather(*(settle(ledgers[n], calls[n::3], make_outcome) for n in range(3)))
    for ledger in ledgers:  # the holder of the lease hands it on
        await ledger.stop()
    again = Ledger(database, sinks=[Exclusive()])
    await again.start()
    while await waiting(database):
        await asyncio.sleep(0.01)
    await again.stop()
    assert sorted(delivered) == sorted(call.id for call in calls)


async def test_recovered_calls_are_told_too(database: Database, make_call: MakeCall):
    sink = Collector()
    ledger = Ledger(database, sinks=[sink])
    await ledger.start()
    call = make_call(received_at=0.0)
    await ledger.open(call)
    with contextlib.suppress(AttributeError):
        ledger._recovery._task.cancel()  # pyright: ignore[reportOptionalMemberAccess]
    async with database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM workers")
    again = Ledger(database, sinks=[sink])
    await again.start()
    await sink.has(1)
    assert sink.records[0]["error"]["code"] == "abandoned"
    await ledger.stop()
    await again.stop()
    assert sink.ids == [call.id]
