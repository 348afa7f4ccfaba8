"""The journal on both databases: units are atomic, nothing is written twice, nothing accepted is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select, text, update

from gateway.errors import GatewayError, QuotaExceeded, Unavailable
from gateway.store import Add, Database, Delete, Guard, Insert, Transition, Unit, Write
from gateway.store.backend import Away
from gateway.store.journal import Journal

metadata = MetaData()
jobs = Table(
    "chores",
    metadata,
    Column("id", String(10), primary_key=True),
    Column("status", String(10), nullable=False),
    Column("note", String(10)),
)
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("job", String(10)))
sums = Table(
    "sums",
    metadata,
    Column("day", Integer, primary_key=True),
    Column("name", String(10), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("total", Integer, nullable=False),
)
accounts = Table("accounts", metadata, Column("id", String(10), primary_key=True), Column("balance", Integer))

NEW = Insert(jobs, "id", "status")
DONE = Transition(jobs, "status", "note", leaves="open")
NOTE = Insert(notes, "job")
SUM = Add(sums)
TAKE = Guard(
    update(accounts)
    .where(accounts.c.id == bindparam("account"), accounts.c.balance >= bindparam("amount"))
    .values(balance=accounts.c.balance - bindparam("amount")),
    "account",
    "amount",
    refusal=lambda: QuotaExceeded("The balance is used up."),
)
HOLD = Guard(
    update(accounts)
    .where(
        accounts.c.id == bindparam("account"), accounts.c.balance - bindparam("floor") >= bindparam("amount")
    )
    .values(balance=accounts.c.balance - bindparam("amount")),
    "account",
    "amount",
    "floor",
    refusal=lambda: QuotaExceeded("The balance is used up."),
    adds="amount",
)
GONE = Delete(jobs)
GIVE = Add(accounts)
OPEN_ACCOUNT = Insert(accounts, "id", "balance")


def new(job: str, *then: Write) -> Write:
    return Write(NEW, (job, "open"), then)


def done(job: str, *then: Write, note: str | None = None) -> Write:
    return Write(DONE, ("done", note, job), then)


def count(name: str, total: int = 1) -> Write:
    return Write(SUM, (7, name, 1, total))


@pytest.fixture
async def tables(database: Database) -> Database:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


@pytest.fixture
async def journal(tables: Database) -> AsyncGenerator[Journal]:
    journal = Journal(tables, patience=0.5)
    await journal.start()
    yield journal
    await journal.stop(5)


async def rows(database: Database, table: Table, *columns: str) -> list[Any]:
    async with database.connect() as connection:
        wanted = [table.c[name] for name in columns]
        return [tuple(row) for row in await connection.execute(select(*wanted).order_by(*wanted))]


async def together(journal: Journal, *units: Unit) -> list[Any]:
    """Submit units in one turn of the loop, so that they share a transaction."""
    return await asyncio.gather(*(journal.submit(unit) for unit in units), return_exceptions=True)


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


async def test_a_guard_that_finds_nothing_undoes_its_unit_alone(tables: Database, journal: Journal):
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 5)),))
    units = [(new(name, count(name), Write(TAKE, ("acme", 2))), count("all")) for name in "abc"]
    first, second, third, plain = await together(journal, *units, (new("plain"),))
    assert [first, second, plain] == [None, None, None]
    assert isinstance(third, QuotaExceeded)
    assert await rows(tables, jobs, "id") == [("a",), ("b",), ("plain",)]
    assert await rows(tables, sums, "name", "count") == [("a", 1), ("all", 2), ("b", 1)]
    assert await rows(tables, accounts, "balance") == [(1,)]


async def test_units_keep_their_order_around_a_guarded_one(tables: Database, journal: Journal):
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 5)),))
    opened = (new("a", Write(TAKE, ("acme", 5))),)
    closed = (done("a", Write(TAKE, ("acme", -5))),)
    again = (new("b", Write(TAKE, ("acme", 5))),)
    assert await together(journal, opened, closed, again) == [None, None, None]
    assert await rows(tables, jobs, "id", "status") == [("a", "done"), ("b", "open")]


async def test_guards_that_add_up_refuse_only_what_does_not_fit(tables: Database, journal: Journal):
    """Rich has room for all, poor for two of three and broke for none; a unit that asks two is as poor as the poorer."""
    for name, balance in (("rich", 100), ("poor", 5), ("broke", 1)):
        await journal.submit((Write(OPEN_ACCOUNT, (name, balance)),))

    def held(job: str, *names: str) -> Unit:
        return (new(job, *(Write(HOLD, (name, 2, 0)) for name in names), count(job)),)

    units = [held(f"p{number}", "poor") for number in range(3)]
    units += [held(f"r{number}", "rich") for number in range(3)]
    units += [held("b", "broke"), held("rb", "rich", "broke"), (done("r0", count("done")),)]
    answers = await together(journal, *units)
    refused = [place for place, answer in enumerate(answers) if isinstance(answer, QuotaExceeded)]
    assert refused == [2, 6, 7]
    assert await rows(tables, accounts, "id", "balance") == [("broke", 1), ("poor", 1), ("rich", 94)]
    assert await rows(tables, jobs, "id", "status") == [
        ("p0", "open"),
        ("p1", "open"),
        ("r0", "done"),
        ("r1", "open"),
        ("r2", "open"),
    ]
    assert [name for (name,) in await rows(tables, sums, "name")] == ["done", "p0", "p1", "r0", "r1", "r2"]


@pytest.mark.parametrize("floor", [0, -2])
async def test_guards_that_add_up_keep_to_their_floor(tables: Database, journal: Journal, floor: int):
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 4)),))
    units = [(new(f"{number}", Write(HOLD, ("acme", 2, floor))),) for number in range(5)]
    answers = await together(journal, *units)
    assert sum(answer is None for answer in answers) == (4 - floor) // 2
    assert await rows(tables, accounts, "balance") == [(floor,)]


async def test_what_one_call_gives_back_is_there_for_the_next_of_the_same_batch(
    tables: Database, journal: Journal
):
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 2)),))
    await journal.submit((new("a", Write(HOLD, ("acme", 2, 0))),))
    back = (done("a", Write(GIVE, ("acme", 2))),)
    held = [(new(name, Write(HOLD, ("acme", 1, 0))),) for name in "bc"]
    assert await together(journal, *held, back) == [None, None, None]
    assert await rows(tables, accounts, "balance") == [(0,)]


async def test_a_guarded_unit_that_was_written_before_is_not_written_again(
    tables: Database, journal: Journal
):
    await journal.submit((Write(OPEN_ACCOUNT, ("acme", 9)),))
    units = [(new(name, Write(HOLD, ("acme", 1, 0)), count(name)),) for name in "aab"]
    assert await together(journal, *units) == [None, None, None]
    assert await together(journal, *units) == [None, None, None]
    assert await rows(tables, accounts, "balance") == [(7,)]
    assert await rows(tables, sums, "name", "count") == [("a", 1), ("b", 1)]


async def test_a_deleted_row_takes_its_followers_along_once(tables: Database, journal: Journal):
    await together(journal, (new("a"),), (new("b"),))
    gone = [(Write(GONE, (name,), (count(name),)),) for name in "aab"]
    await together(journal, *gone)
    await together(journal, *gone, (Write(GONE, ("missing",), (count("missing"),)),))
    assert await rows(tables, jobs, "id") == []
    assert await rows(tables, sums, "name", "count") == [("a", 1), ("b", 1)]


async def test_a_balance_for_ten_admits_ten_of_a_thousand(tables: Database):
    journals = [Journal(tables) for _ in range(2)]
    for journal in journals:
        await journal.start()
    await journals[0].submit((Write(OPEN_ACCOUNT, ("acme", 10)),))
    units = [(new(f"{number}", Write(HOLD, ("acme", 1, 0))),) for number in range(1000)]
    answers = await asyncio.gather(
        *(journals[number % 2].submit(unit) for number, unit in enumerate(units)), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == 10
    assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 990
    assert len(await rows(tables, jobs, "id")) == 10
    assert await rows(tables, accounts, "balance") == [(0,)]
    for journal in journals:
        await journal.stop(5)


BAD_VALUES: Sequence[Any] = [None, "\ud800", object()]


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
    """Takes the database away, and gives it back."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def begin(self) -> None:
        if self.database.dialect == "sqlite":
            self.lock = sqlite3.connect(self.database.path, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")
            return
        self.server = Database(self.database.dsn.rpartition("/")[0] + "/test")
        name = self.database.dsn.rpartition("/")[2]
        async with self.server.begin() as connection:
            await connection.execute(text(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"))
        async with self.server.begin() as connection:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            await connection.execute(text(kill), {"name": name})

    async def end(self) -> None:
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
    outage = Outage(tables)
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
    outage = Outage(tables)
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
    outage = Outage(tables)
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
