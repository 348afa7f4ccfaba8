"""Rows of a journal that must not be there yet, on both databases: one makes it, all others are refused."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import GatewayError, InvalidRequest
from gateway.store import Database, Fresh, Unit, Write
from gateway.store.journal import Journal

from .chores import FRESH, accounts, done, jobs, new, notes, rows, together


def fresh(name: str, balance: int = 0) -> Unit:
    return (Write(FRESH, (balance, name)),)


async def test_a_row_that_is_there_refuses_its_unit_alone(tables: Database, journal: Journal):
    await journal.submit(fresh("b", 1))
    answers = await together(journal, fresh("c"), fresh("b", 2), (new("x"),), fresh("a"))
    assert [type(answer) for answer in answers] == [type(None), InvalidRequest, type(None), type(None)]
    assert await rows(tables, accounts, "id", "balance") == [("a", 0), ("b", 1), ("c", 0)]
    assert await rows(tables, jobs, "id") == [("x",)]


async def test_of_equal_ones_in_a_batch_the_first_is_written(tables: Database, journal: Journal):
    units = [fresh(f"{number % 40}", number) for number in range(100)]
    answers = await together(journal, *units)
    assert answers[:40] == [None] * 40
    assert all(isinstance(answer, InvalidRequest) for answer in answers[40:])
    assert sorted(await rows(tables, accounts, "balance")) == [(number,) for number in range(40)]


async def test_of_many_workers_one_makes_the_row(tables: Database, journal: Journal):
    other = Journal(tables)
    await other.start()
    try:
        names = [f"{number}" for number in range(60)]
        answers = await asyncio.gather(
            *(journal.submit(fresh(name)) for name in names),
            *(other.submit(fresh(name)) for name in reversed(names)),
            return_exceptions=True,
        )
    finally:
        await other.stop(5)
    assert sum(answer is None for answer in answers) == 60
    assert sum(isinstance(answer, InvalidRequest) for answer in answers) == 60


async def test_it_is_written_where_a_batch_has_to_be_written_unit_by_unit(tables: Database, journal: Journal):
    vain = (done("missing", new("never")),)
    *good, answer = await together(journal, fresh("a"), vain, fresh("a"))
    assert good == [None, None]
    assert isinstance(answer, InvalidRequest)
    assert await rows(tables, accounts, "id") == [("a",)]
    assert await rows(tables, jobs, "id") == []


async def test_it_is_a_unit_by_itself(tables: Database, journal: Journal):
    answer, good = await together(journal, (*fresh("a"), new("a")), fresh("b"))
    assert isinstance(answer, GatewayError)
    assert good is None
    assert await rows(tables, accounts, "id") == [("b",)]
    assert await rows(tables, jobs, "id") == []


def test_without_its_key_a_row_cannot_be_known():
    with pytest.raises(ValueError, match="primary key"):
        Fresh(notes, "job", refusal=lambda: InvalidRequest("never"))
