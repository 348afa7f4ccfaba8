"""Guards and deletions in a journal, on both databases: what does not fit is refused alone, what fits is not."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import update

from gateway.errors import QuotaExceeded
from gateway.store import Database, Unit, Write
from gateway.store.journal import Journal
from gateway.store.turns import row_locks, take_turn

from .chores import (
    GIVE,
    GONE,
    HOLD,
    OPEN_ACCOUNT,
    TAKE,
    accounts,
    count,
    done,
    jobs,
    new,
    rows,
    sums,
    together,
)


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


async def test_journals_that_change_the_same_rows_never_wait_in_a_circle(
    tables: Database, caplog: pytest.LogCaptureFixture
):
    """They hold, give back and count in orders of their own, alone and together, while others lock in theirs."""
    names, chance = [f"a{number}" for number in range(12)], random.Random(5)
    journals = [Journal(tables) for _ in range(4)]
    for journal in journals:
        await journal.start()
    await together(journals[0], *((Write(OPEN_ACCOUNT, (name, 1000)),) for name in names))

    async def job(journal: Journal, name: str) -> None:
        one, other = chance.sample(names, 2)
        guard = Write(TAKE, (one, 2)) if chance.random() < 0.05 else Write(HOLD, (one, 2, 0))
        await journal.submit((new(name, guard, Write(HOLD, (other, 3, 0)), count(other)),))
        back = Write(GIVE, (one, 2)), Write(GIVE, (other, 3)), count(one)
        await journal.submit((done(name, *chance.sample(back, 3)),))

    async def move() -> None:
        async with tables.begin() as connection:
            await take_turn(connection)
            for name, amount in zip(chance.sample(names, 2), (-1, 1), strict=True):
                moved = update(accounts).where(accounts.c.id == name)
                await connection.execute(moved.values(balance=accounts.c.balance + amount))

    jobs_ = [
        job(journal, f"{place}-{number}") for number in range(80) for place, journal in enumerate(journals)
    ]
    await asyncio.gather(*jobs_, *(move() for _ in range(8)))
    for journal in journals:
        await journal.stop(5)
    assert "does not take writes" not in caplog.text
    assert sum(balance for (balance,) in await rows(tables, accounts, "balance")) == 12_000
    assert sum(number for (number,) in await rows(tables, sums, "count")) == 640
    assert {status for (status,) in await rows(tables, jobs, "status")} == {"done"}


def test_what_changes_one_row_takes_one_lock_and_too_many_are_no_locks():
    asked, given = (new("a", Write(HOLD, ("acme", 2, 0))),), (done("a", Write(GIVE, ("acme", 2))),)
    one = row_locks([(0, asked), (1, given), (2, (new("b"),))])
    assert one is not None
    (lock,) = one
    many = [(place, (count(f"{place}"), Write(GIVE, ("acme", 1)))) for place in range(400)]
    found = row_locks(many)
    assert found is not None
    assert found == sorted({*found, lock})
    assert len(found) == 401
    assert row_locks([*many, *((place, (Write(GIVE, (f"{place}", 1)),)) for place in range(100))]) is None
