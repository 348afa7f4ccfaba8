"""The journal on both databases: units are atomic, nothing is written twice, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import GatewayError, Unavailable
from gateway.store import Database, Insert, Unit, Write
from gateway.store.backend import Away
from gateway.store.journal import Journal

from .chores import (
    NEW,
    NOTE,
    OPEN_ACCOUNT,
    TAKE,
    accounts,
    count,
    done,
    jobs,
    new,
    notes,
    rows,
    sums,
    together,
)

BAD_VALUES: Sequence[Any] = [None, "\ud800", object()]


async def test_a_row_is_durable_once_the_future_is_done(tables: Database, journal: Journal):
    await journal.submit((new("a"),))
    assert await rows(tables, jobs, "id", "status", "note") == [("a", "open", None)]


async def test_what_is_there_already_is_not_inserted_again(tables: Database, journal: Journal):
    unit = (new("a", Write(NOTE, ("a",)), count("a")),)
    assert await together(journal, unit, unit) == [None, None]
    await journal.submit(unit)
    assert await rows(tables, notes, "job") == [("a",)]
    assert await rows(tables, sums, "day", "name", "count", "total") == [(7, "a", 1, 1)]


async def test_a_transition_happens_once_and_takes_its_followers_along(tables: Database, journal: Journal):
    first = (done("a", Write(NOTE, ("a",)), count("a", 5), note="first"),)
    second = (done("a", Write(NOTE, ("b",)), count("a", 7), note="second"),)
    await together(journal, (new("a"),), first, second)
    await journal.submit(second)
    assert await rows(tables, jobs, "id", "status", "note") == [("a", "done", "first")]
    assert await rows(tables, notes, "job") == [("a",)]
    assert await rows(tables, sums, "count", "total") == [(1, 5)]


@pytest.mark.parametrize("late", [[], ["3", "3", "missing"]], ids=["all", "all but three"])
async def test_of_many_rows_at_once_only_those_that_moved_take_their_followers_along(
    tables: Database, journal: Journal, late: list[str]
):
    names = [f"{number}" for number in range(40)]
    made = (new(name, Write(NOTE, (name,))) for name in (*names, *late))
    await together(journal, *((write,) for write in made if write.values[0] != "missing"))
    await together(journal, *((done(name, count("moved"), note=name),) for name in (*names, *late)))
    assert sorted(await rows(tables, notes, "job")) == sorted((name,) for name in names)
    assert await rows(tables, jobs, "id", "status", "note") == sorted((name, "done", name) for name in names)
    assert await rows(tables, sums, "name", "count") == [("moved", 40)]


async def test_a_transition_of_nothing_does_nothing(tables: Database, journal: Journal):
    await journal.submit((done("missing", count("a")),))
    assert await rows(tables, jobs, "id") == []
    assert await rows(tables, sums, "name") == []


async def test_followers_may_have_followers(tables: Database, journal: Journal):
    await journal.submit((new("a", new("b", count("b")), new("a", count("never"))),))
    assert await rows(tables, jobs, "id") == [("a",), ("b",)]
    assert await rows(tables, sums, "name") == [("b",)]


async def test_amounts_add_up_over_batches_and_within(tables: Database, journal: Journal):
    for _ in range(3):
        await together(journal, *((count(name, total),) for name in "ab" for total in (1, 2)))
    assert await rows(tables, sums, "name", "count", "total") == [("a", 6, 9), ("b", 6, 9)]


@pytest.mark.parametrize("bad", BAD_VALUES, ids=["null", "surrogate", "object"])
async def test_a_unit_that_cannot_be_written_harms_no_other(
    tables: Database, journal: Journal, bad: Any, caplog: pytest.LogCaptureFixture
):
    units = [(new(f"{number}"), count("good")) for number in range(5)]
    broken = (new("x"), Write(NEW, ("y", bad)), count("bad"))
    journal.submit_nowait((Write(NEW, ("z", bad)),))
    *good, answer = await together(journal, *units, broken)
    assert good == [None] * 5
    assert isinstance(answer, GatewayError)
    assert len(await rows(tables, jobs, "id")) == 5
    assert await rows(tables, sums, "name", "count") == [("good", 5)]
    assert any("lost a unit" in record.getMessage() for record in caplog.records)
    assert not journal.away


async def test_a_batch_of_thousands_is_written(tables: Database, journal: Journal):
    for number in range(2500):
        journal.submit_nowait((new(f"{number}", count("all")),))
    await journal.submit((count("all"),))
    assert await rows(tables, sums, "count") == [(2501,)]


async def test_stopping_writes_what_was_accepted(tables: Database):
    journal = Journal(tables)
    await journal.start()
    for number in range(1500):
        journal.submit_nowait((new(f"{number}"),))
    assert await journal.stop(10) == 0
    assert len(await rows(tables, jobs, "id")) == 1500
    with pytest.raises(Unavailable):
        journal.submit((new("late"),))


async def test_it_may_be_started_again(tables: Database):
    journal = Journal(tables)
    for name in "ab":
        await journal.start()
        await journal.submit((new(name),))
        assert await journal.stop(5) == 0
    assert await rows(tables, jobs, "id") == [("a",), ("b",)]


async def test_a_commit_in_doubt_is_sent_again_without_harm(
    tables: Database, journal: Journal, monkeypatch: pytest.MonkeyPatch
):
    """The database commits, and the answer is lost on its way."""
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 1)), new("old")))
    write = journal._backend.write

    def committed_unheard(units: Sequence[Unit], tell: Callable[[Any], None]) -> None:
        monkeypatch.setattr(journal._backend, "write", write)
        write(units, lambda _: tell(Away("connection lost in COMMIT")))

    monkeypatch.setattr(journal._backend, "write", committed_unheard)
    units = [(new("new", Write(TAKE, ("acme", 1)), count("new")),), (done("old", count("old")),)]
    assert await together(journal, *units) == [None, None]
    assert await rows(tables, jobs, "id", "status") == [("new", "open"), ("old", "done")]
    assert await rows(tables, sums, "name", "count") == [("new", 1), ("old", 1)]
    assert await rows(tables, accounts, "balance") == [(0,)]


class Outage:
    """Takes the database away, and gives it back; meanwhile the journal has little patience."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self.database = database
        self.journal = journal
        self.patience = journal._patience

    async def begin(self) -> None:
        self.journal._patience = 1.5
        if self.database.dialect == "sqlite":
            self.lock = sqlite3.connect(self.database.path, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")
            return
        self.server = Database(self.database.dsn.rpartition("/")[0] + "/postgres")
        name = self.database.dsn.rpartition("/")[2]
        async with self.server.begin() as connection:
            await connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
        async with self.server.begin() as connection:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            await connection.execute(text(kill), {"name": name})

    async def end(self) -> None:
        self.journal._patience = self.patience
        if self.database.dialect == "sqlite":
            self.lock.execute("ROLLBACK")
            self.lock.close()
            return
        async with self.server.begin() as connection:
            name = self.database.dsn.rpartition("/")[2]
            await connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true"))
        await self.server.close()


async def test_an_outage_loses_nothing_that_nobody_waits_for(
    tables: Database, journal: Journal, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    await journal.submit((new("before"),))
    await tables.close()
    outage = Outage(tables, journal)
    await outage.begin()
    for number in range(50):
        journal.submit_nowait((new(f"{number}", count("kept")),))
    with pytest.raises(Unavailable) as caught:
        await journal.submit((new("waiting", count("waited")),))
    assert (b"retry-after", b"5") in caught.value.headers
    assert journal.away
    await outage.end()
    while journal.away:
        await asyncio.sleep(0.01)
    await journal.submit((new("after"),))
    assert ("kept", 50) in await rows(tables, sums, "name", "count")
    messages = [record.getMessage() for record in caplog.records]
    assert sum("does not take writes" in message for message in messages) == 1
    assert sum("takes writes again" in message for message in messages) == 1


async def test_in_a_long_outage_nobody_waits_at_all(tables: Database, journal: Journal):
    await tables.close()
    outage = Outage(tables, journal)
    await outage.begin()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await journal.submit((new("waiting"),))
    while (
        True
    ):  # patience counts from the first failed attempt, which the first submitter did not live to see
        try:
            waiter = journal.submit((new("waiting"),))
        except Unavailable:
            break
        with pytest.raises(Unavailable):
            await waiter
    await outage.end()
    while journal.away:
        await asyncio.sleep(0.01)
    await journal.submit((new("after"),))


async def test_what_is_lost_at_the_end_is_logged_as_json(tables: Database, caplog: pytest.LogCaptureFixture):
    journal = Journal(tables)
    await journal.start()
    await tables.close()
    outage = Outage(tables, journal)
    await outage.begin()
    journal.submit_nowait((new("a", count("x")),))
    waiter = journal.submit((new("b"),))
    assert await journal.stop(0.1) == 1
    with pytest.raises(Unavailable):
        await waiter
    await outage.end()
    (message,) = (r.getMessage() for r in caplog.records if "lost a unit" in r.getMessage())
    assert json.loads(message[message.index("[") :]) == [
        {
            "insert": "chores",
            "values": {"id": "a", "status": "open"},
            "then": [{"add": "sums", "values": {"day": 7, "name": "x", "count": 1, "total": 1}}],
        }
    ]
    assert await rows(tables, jobs, "id") == []


async def test_a_full_journal_refuses_and_says_what_it_lost(
    tables: Database, caplog: pytest.LogCaptureFixture
):
    journal = Journal(tables, capacity=10)
    await journal.start()
    for number in range(11):
        journal.submit_nowait((new(f"{number}"),))
    with pytest.raises(Unavailable):
        journal.submit((new("b"),))
    assert await journal.stop(5) == 1
    assert len(await rows(tables, jobs, "id")) == 10
    assert any("the journal is full" in record.getMessage() for record in caplog.records)


async def test_a_cancelled_waiter_disturbs_nobody(tables: Database, journal: Journal):
    waiter = journal.submit((new("a"),))
    other = journal.submit((new("b"),))
    waiter.cancel()
    await other
    assert await rows(tables, jobs, "id") == [("a",), ("b",)]


def test_an_unknown_column_is_named():
    with pytest.raises(ValueError, match="table chores has no column colour"):
        Insert(jobs, "id", "colour")
