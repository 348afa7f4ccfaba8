"""What was used in a period of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from gateway_subscription.tables import usage

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway_subscription.rows import Row


async def used_of(database: Database, row: Row) -> int:
    """What its calls were charged in its present period, in 10⁻⁹ credit."""
    query = select(usage.c.spent).where(usage.c.subscription == row.id, usage.c.start == row.period_start)
    async with database.connect() as connection:
        return await connection.scalar(query) or 0
