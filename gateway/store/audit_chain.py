"""Walks the chain of the audit log: whoever changes or removes an entry breaks it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import select

from gateway.store.audit import GENESIS, hash_of
from gateway.store.identity_tables import audit_log
from gateway.store.tables import revisions

if TYPE_CHECKING:
    from gateway.store.database import Database

_AT_ONCE: Final = 500


class Verdict(Struct, frozen=True, kw_only=True):
    """What was found."""

    count: int
    """Entries up to the first problem, or all."""
    head: bytes
    """The hash of the last of these: note it elsewhere, and later chains can be held against it."""
    problem: str | None = None
    """What is wrong, beginning with the entry."""


async def verify(database: Database, *, expect: bytes | None = None) -> Verdict:
    """Check all entries, and with `expect` that one of them has this hash. Entries may be added meanwhile.

    A chain that somebody has made anew from some entry on, hashes and all, is only found out by `expect`.
    """
    least = await _counted(database)
    position, head, seen = 0, GENESIS, expect is None or expect == GENESIS
    async for row in rows(database):
        problem = _problem(row, position + 1, head)
        if problem is not None:
            return Verdict(count=position, head=head, problem=problem)
        position, head = position + 1, bytes(row["hash"])
        seen = seen or head == expect
    problem = None
    if position < least:
        problem = f"entry {position + 1} is missing, with all up to {least}: the end was cut off"
    elif position > await _counted(database):
        problem = f"entry {position} was never counted: it was not written by the gateway"
    elif not seen:
        problem = "no entry has the expected hash: the chain is not the one that it was"
    return Verdict(count=position, head=head, problem=problem)


async def rows(database: Database) -> AsyncGenerator[dict[str, Any]]:
    """All entries in order, with their hashes."""
    last = -1
    while True:
        query = select(audit_log).where(audit_log.c.position > last).order_by(audit_log.c.position)
        async with database.connect() as connection:
            found = (await connection.execute(query.limit(_AT_ONCE))).mappings().all()
        for row in found:
            yield dict(row)
        if len(found) < _AT_ONCE:
            return
        last = found[-1]["position"]


def _problem(row: dict[str, Any], position: int, before: bytes) -> str | None:
    if row["position"] < position:
        return f"entry {row['position']} was put before the first"
    if row["position"] > position:
        return f"entry {position} is missing"
    if bytes(row["previous"]) != before:
        return f"entry {position} does not follow the one before it"
    entry = {name: value for name, value in row.items() if name not in {"previous", "hash"}}
    return None if hash_of(entry, before) == bytes(row["hash"]) else f"entry {position} was changed"


async def _counted(database: Database) -> int:
    """How many entries were ever written."""
    async with database.connect() as connection:
        query = select(revisions.c.value).where(revisions.c.name == "audit_log")
        return await connection.scalar(query) or 0
