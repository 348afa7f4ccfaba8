"""What was used in a period of a subscription."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from gateway_subscription.tables import subscriptions, usage

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway_subscription.rows import Row


async def used_of(database: Database, row: Row) -> int:
    """What its calls were charged in its present period, in 10⁻⁹ credit."""
    return (await all_used(database, [row]))[row.id]


async def all_used(database: Database, rows: Sequence[Row]) -> dict[str, int]:
    """The same for many, by their ids."""
    now = (usage.c.subscription == subscriptions.c.id) & (usage.c.start == subscriptions.c.period_start)
    query = select(usage.c.subscription, usage.c.spent).join_from(usage, subscriptions, now)
    if len(rows) == 1:
        query = query.where(subscriptions.c.id == rows[0].id)
    async with database.connect() as connection:
        spent = {each.subscription: each.spent for each in await connection.execute(query)}
    return {row.id: spent.get(row.id, 0) for row in rows}
