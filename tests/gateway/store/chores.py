"""Tables that journals are tried on, and what is written to them."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select, update

from gateway.errors import InvalidRequest, QuotaExceeded
from gateway.store import Add, Database, Delete, Fresh, Guard, Insert, Transition, Unit, Write
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
FRESH = Fresh(accounts, "balance", "id", refusal=lambda: InvalidRequest("It is there already."))
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


async def rows(database: Database, table: Table, *columns: str) -> list[Any]:
    async with database.connect() as connection:
        wanted = [table.c[name] for name in columns]
        return [tuple(row) for row in await connection.execute(select(*wanted).order_by(*wanted))]


async def together(journal: Journal, *units: Unit) -> list[Any]:
    """Submit units in one turn of the loop, so that they share a transaction."""
    return await asyncio.gather(*(journal.submit(unit) for unit in units), return_exceptions=True)
