"""Whatever happens, in whatever order: every opened call ends in one settled row, and the buckets equal the calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.backend import Away
from gateway.store.calls import list_calls
from gateway.store.tables import metadata, model_calls, usage_buckets, workers
from gateway.types import Call, Outcome, Usage

SUMMED = ("prompt_tokens", "completion_tokens", "cost")
GROUP = ("tenant", "key", "model", "provider")


class World:
    """Some workers on one database, and what a watcher knows of their calls."""

    def __init__(self, database: Database, make_call: Callable[..., Call]) -> None:
        self.database = database
        self.make_call = make_call
        self.ledgers: list[Ledger] = []
        self.open: dict[str, tuple[Call, Ledger]] = {}
        self.opened: set[str] = set()
        self.settled: dict[str, str] = {}
        """Settlements of which the ledger was flushed afterwards: they must be in the database as they were made."""

    async def start(self) -> None:
        ledger = Ledger(self.database)
        await ledger.start()
        self.ledgers.append(ledger)

    async def open_calls(self, place: int, count: int) -> None:
        ledger = self.ledgers[place % len(self.ledgers)]
        calls = [self.make_call(model=f"m{number % 2}") for number in range(count)]
        await asyncio.gather(*(ledger.open(call) for call in calls))
        for call in calls:
            self.open[call.id] = (call, ledger)
            self.opened.add(call.id)

    def settle(self, count: int, status: Any) -> None:
        for id_ in list(self.open)[:count]:
            call, ledger = self.open.pop(id_)
            usage = Usage(prompt_tokens=count, completion_tokens=1)
            outcome = Outcome(status=status, provider="p", ended_at=call.received_at, usage=usage, cost=count)
            ledger.settle(call, outcome)
            ledger.settle(call, Outcome(status="failed", ended_at=0.0))  # the second changes nothing
            self.settled[id_] = status

    async def give_up_opening(self, place: int, count: int) -> None:
        ledger = self.ledgers[place % len(self.ledgers)]
        tasks = [asyncio.create_task(ledger.open(self.make_call())) for _ in range(count)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def lose_an_answer(self, place: int) -> None:
        """The next commit succeeds, and its worker does not hear of it."""
        backend: Any = self.ledgers[place % len(self.ledgers)]._journal._backend
        write: Any = backend.write

        def committed_unheard(units: Sequence[Any], tell: Callable[[Any], None]) -> None:
            def lost(_: object) -> None:
                tell(Away("connection lost in COMMIT"))

            backend.write = write
            write(units, lost)

        backend.write = committed_unheard

    async def crash(self, place: int) -> None:
        """Kill a worker: what it has queued is gone. Another one takes its place."""
        ledger = self.ledgers.pop(place % len(self.ledgers))
        task, journal = ledger._recovery._task, ledger._journal
        assert task is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        journal._closed = True
        await journal._backend.close()
        for timer in (journal._next, journal._patrol):
            if timer is not None:
                timer.cancel()
        for id_, (_, owner) in list(self.open.items()):
            if owner is ledger:
                del self.open[id_]
        self.settled.clear()  # some of them may have died in the queue
        async with self.database.begin() as connection:
            mine = workers.c.id == ledger._worker
            await connection.execute(update(workers).where(mine).values(process_start="another"))
        await self.start()

    async def recover(self, place: int) -> None:
        await self.ledgers[place % len(self.ledgers)]._recovery.recover()

    async def finish(self) -> None:
        for ledger in self.ledgers:
            assert await ledger.stop() == 0
        last = Ledger(self.database)
        await last.start()  # settles what was never settled
        await last.stop()


STEPS = st.one_of(
    st.tuples(st.just("open"), st.integers(0, 2), st.integers(1, 8)),
    st.tuples(st.just("settle"), st.integers(1, 8), st.sampled_from(["success", "failed", "cancelled"])),
    st.tuples(st.just("give up"), st.integers(0, 2), st.integers(1, 4)),
    st.tuples(st.just("lose an answer"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("crash"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("recover"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("breathe"), st.just(0), st.just(0)),
)


@pytest.fixture
def play(database: Database, make_call: Callable[..., Call]) -> Callable[[list[Any]], Any]:
    async def play(steps: list[Any]) -> World:
        async with database.begin() as connection:
            for table in metadata.sorted_tables:
                if table.name != "audit_log":  # which nothing writes to here, and nobody can empty
                    await connection.execute(table.delete())
        world = World(database, make_call)
        await asyncio.gather(world.start(), world.start())
        for step, first, second in steps:
            match step:
                case "open":
                    await world.open_calls(first, second)
                case "settle":
                    world.settle(first, second)
                case "give up":
                    await world.give_up_opening(first, second)
                case "lose an answer":
                    world.lose_an_answer(first)
                case "crash":
                    await world.crash(first)
                case "recover":
                    await world.recover(first)
                case _:
                    await asyncio.sleep(0)
        await world.finish()
        return world

    return play


async def _check(database: Database, world: World) -> None:
    rows = await list_calls(database, limit=10_000)
    statuses = {row.id: row.status for row in rows}
    assert len(statuses) == len(rows)
    assert "processing" not in statuses.values()
    assert world.opened <= statuses.keys()
    assert {id_: statuses[id_] for id_ in world.settled} == world.settled
    columns = model_calls.c
    per_call = [func.coalesce(columns[name], "") for name in GROUP]
    sums = [func.coalesce(func.sum(columns[name]), 0) for name in SUMMED]
    failed = func.count().filter(columns.status != "success")
    buckets = usage_buckets.c
    in_buckets = [func.sum(buckets[name]) for name in ("calls", "failed", *SUMMED)]
    keys = [buckets[name] for name in GROUP]
    async with database.connect() as connection:
        by_calls = await connection.execute(
            select(*per_call, func.count(), failed, *sums).group_by(*per_call)
        )
        by_buckets = await connection.execute(select(*keys, *in_buckets).group_by(*keys))
        assert sorted(map(_plain, by_calls)) == sorted(map(_plain, by_buckets))
        assert (await connection.execute(select(workers))).all() == []


def _plain(row: Any) -> tuple[Any, ...]:
    return (*row[: len(GROUP)], *map(int, row[len(GROUP) :]))


@given(steps=st.lists(STEPS, max_size=25))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_every_call_is_settled_once_whatever_happens(
    database: Database, play: Callable[[list[Any]], Any], steps: list[Any]
):
    await _check(database, await play(steps))
