"""Turns: who locks rows that calls count in, in an order of their own, waits until the journals of all workers do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

TURN: Final = 0x6761_7465_6A6F_7572  # "gatejour"
"""PostgreSQL's advisory lock of those whose guards lock rows in no order."""


async def take_turn(connection: AsyncConnection) -> None:
    """Lock the journals out until this transaction ends; first in it. On SQLite, whoever writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(TURN)))
