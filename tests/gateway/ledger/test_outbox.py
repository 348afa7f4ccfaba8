"""The outbox: settled calls reach every sink, at least once, in order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.errors import Undelivered
from gateway.ledger import Ledger
from gateway.ledger import outbox as outbox_module
from gateway.store import Database
from gateway.store.calls import as_record, get_call
from gateway.store.tables import dead_letters, outbox, sink_leases, sink_states
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
    for task in ledger._outbox._tasks:
        task.cancel()
    async with database.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM workers")
    again = Ledger(database, sinks=[sink])
    await again.start()
    await sink.has(1)
    assert sink.records[0]["error"]["code"] == "abandoned"
    await ledger.stop()
    await again.stop()
    assert sink.ids == [call.id]


class Picky(Collector):
    """Takes all but one call, and says so in the way it is told."""

    def __init__(self, poison: str, *, refuses: bool | None) -> None:
        super().__init__("picky")
        self.poison = poison
        self.refuses = refuses

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        bad = {record["id"]: "no such meter" for record in records if record["id"] == self.poison}
        if bad and self.refuses is None:
            raise ValueError("something in there is wrong")
        await super().deliver([record for record in records if record["id"] not in bad])
        if bad:
            raise Undelivered(refused=bad) if self.refuses else Undelivered(failed=bad)


async def dead(database: Database) -> list[tuple[Any, ...]]:
    async with database.connect() as connection:
        return [tuple(row)[:-1] for row in await connection.execute(select(dead_letters))]


async def test_a_refused_call_becomes_a_dead_letter_and_stops_no_other(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    calls = [make_call() for _ in range(5)]
    sink = Picky(calls[2].id, refuses=True)
    ledger = Ledger(database, sinks=[sink])
    await ledger.start()
    await settle(ledger, calls, make_outcome)
    await sink.has(4)
    await ledger.stop()
    assert sink.ids == [call.id for call in calls if call.id != sink.poison]
    assert await dead(database) == [("picky", sink.poison, 1, "no such meter")]
    assert await waiting(database) == 0


@pytest.mark.parametrize("refuses", [False, None], ids=["names it", "does not say which"])
async def test_a_call_that_fails_alone_is_tried_later_and_at_last_given_up(
    sqlite: Database,
    make_call: MakeCall,
    make_outcome: MakeOutcome,
    monkeypatch: pytest.MonkeyPatch,
    refuses: bool | None,
):
    monkeypatch.setattr(outbox_module, "_FIRST_RETRY", 0.001)
    monkeypatch.setattr(outbox_module, "_LONGEST_RETRY", 0.001)
    monkeypatch.setattr(outbox_module, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(outbox_module, "_MOST_ATTEMPTS", 3)
    calls = [make_call() for _ in range(5)]
    sink = Picky(calls[2].id, refuses=refuses)
    ledger = Ledger(sqlite, sinks=[sink])
    await ledger.start()
    await settle(ledger, calls, make_outcome)
    await sink.has(4)
    while not await dead(sqlite):
        if refuses is None:  # alone, it cannot be told from a sink that is away
            await settle(ledger, [make_call()], make_outcome)
        await asyncio.sleep(0.01)
    await ledger.stop()
    ((_, call, attempts, error),) = await dead(sqlite)
    assert (call, attempts) == (sink.poison, 3)
    assert error in {"no such meter", "ValueError: something in there is wrong"}
    assert {call.id for call in calls} - set(sink.ids) == {sink.poison}
    assert len(set(sink.ids)) == len(sink.ids) or refuses is None


async def test_a_sink_that_is_away_gives_up_nothing(
    sqlite: Database, make_call: MakeCall, make_outcome: MakeOutcome, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox_module, "_LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(outbox_module, "_MOST_ATTEMPTS", 2)
    sink = Collector(failures=30)
    ledger = Ledger(sqlite, sinks=[sink])
    await ledger.start()
    calls = [make_call() for _ in range(3)]
    await settle(ledger, calls, make_outcome)
    await sink.has(3)
    await ledger.stop()
    assert set(sink.ids) == {call.id for call in calls}
    assert await dead(sqlite) == []
    async with sqlite.connect() as connection:
        state = (await connection.execute(select(sink_states))).one()
    assert (state.delivered, state.error) == (3, "ConnectionError: the far side is away")


async def test_the_lease_of_a_dead_worker_holds_nobody_up(
    sqlite: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    async with sqlite.begin() as connection:
        lease = {"sink": "events", "worker": "gone", "leased_until": time.time() + 3600}
        await connection.execute(sink_leases.insert().values(lease))
    sink = Collector()
    ledger = Ledger(sqlite, sinks=[sink])
    await ledger.start()
    await settle(ledger, [make_call()], make_outcome)
    await asyncio.wait_for(sink.has(1), 30)
    await ledger.stop()
