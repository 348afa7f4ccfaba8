"""Turns: whose journals wait for each other on PostgreSQL, so that none of them waits in a circle.

Those that change the same rows wait for each other by advisory locks, one for each row, taken at once and in one order. Who
locks rows that calls count in, in an order of their own, waits until the journals of all workers do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from sqlalchemy import func, select

from gateway.store.writes import Add, Guard, Write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.grouping import Placed

TURN: Final = 0x6761_7465_6A6F_7572  # "gatejour"
"""PostgreSQL's advisory lock of those who lock rows in no order; shared by those who lock theirs first."""
_ROWS: Final = 0x6761_7465  # "gate"
_MOST: Final = 500
"""Locks of one transaction: a server's table of locks has room for so many of a dozen workers."""

TAKE_TURN: Final = f"SELECT pg_advisory_xact_lock({TURN})"
SHARE_TURN: Final = f"SELECT pg_advisory_xact_lock_shared({TURN})"
LOCK_ROWS: Final = f"SELECT pg_advisory_xact_lock({_ROWS}, number) FROM unnest($1::int[]) AS number"  # noqa: S608 - a number of ours
"""In the order in which they are given."""


async def take_turn(connection: AsyncConnection) -> None:
    """Lock the journals out until this transaction ends; first in it. On SQLite, whoever writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(TURN)))


def row_locks(units: Iterable[Placed]) -> list[int] | None:
    """The locks of all rows that units may add to, or ask together, in the order in which everybody takes them.

    None where they are too many, and the turn is to be taken instead.
    """
    rows: set[tuple[Any, ...]] = set()
    for _, unit in units:
        _note_rows(unit, rows)
    return sorted({crc32(repr(row).encode()) - 2**31 for row in rows}) if len(rows) <= _MOST else None


def _note_rows(writes: Sequence[Write], rows: set[tuple[Any, ...]]) -> None:
    for write in writes:
        statement = write.statement
        if isinstance(statement, Add):
            rows.add((statement.table.name, *write.values[: len(statement.keys)]))
        elif isinstance(statement, Guard) and statement.row is not None:
            table, keys = statement.row
            rows.add((table, *write.values[:keys]))
        if write.then:
            _note_rows(write.then, rows)
