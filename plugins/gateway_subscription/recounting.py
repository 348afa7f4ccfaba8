"""Moves to a period what was counted in the one before it, as its calls came in before the gateway heard that it had begun."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from gateway.store.charge_sums import sum_of_adjustments, sum_of_charges
from gateway.store.tables import model_calls, price_adjustments
from gateway_subscription.tables import charges, subscriptions, usage

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database

_YOUNG: Final = 60.0
"""Seconds after a period was opened by which all workers know of it."""
_DAY: Final = 86_400.0


class Recounter:
    """Counts the usage of a period again, from the ledger, in the transaction that opens it and soon after."""

    def __init__(self, authenticators: Collection[str], exempt: Collection[str]) -> None:
        """`authenticators` are those whose callers need a subscription; all do where there are none. `exempt` are left out."""
        self._authenticators = frozenset(authenticators)
        self._exempt = frozenset(exempt)

    async def young(self, database: Database) -> None:
        """Count the periods again that were opened in the last minute: other workers heard of them later.

        Raises `Unavailable`.
        """
        opened = charges.c
        query = (
            select(opened.subscription, opened.tenant, opened.start)
            .join_from(charges, subscriptions, subscriptions.c.id == opened.subscription)
            .where(
                opened.created_at > time.time() - _YOUNG,
                opened.kind.in_(("trial", "period")),
                opened.start == subscriptions.c.period_start,
            )
        )
        async with database.connect() as connection:
            found = (await connection.execute(query)).all()
        for row in found:
            async with database.begin() as connection:
                await self.recount(connection, row.subscription, row.tenant, row.start)

    async def recount(self, connection: AsyncConnection, subscription: str, tenant: str, start: int) -> None:
        """Move to the latest period of a subscription, which began at `start`, what calls since then were charged.

        Whoever counts waits until this is written, and was written before: no call is moved that is yet to be counted.
        """
        if tenant in self._exempt:  # some of their calls are counted nowhere
            return
        query = select(usage).where(usage.c.subscription == subscription).order_by(usage.c.start)
        rows = (await connection.execute(query.with_for_update())).all()
        if len(rows) < 2 or rows[-1].start != start:  # noqa: PLR2004 - there is none before it, or a later one
            return
        call, made = model_calls.c, price_adjustments.c
        ours = [call.authenticator.in_(self._authenticators)] if self._authenticators else []
        used = await sum_of_charges(connection, tenant, start, time.time() + _DAY, *ours)
        used += await sum_of_adjustments(connection, tenant, made.received_at >= start, *ours)
        more = min(used - rows[-1].spent, rows[-2].spent)
        if more <= 0:
            return
        for at, amount in ((rows[-2].start, -more), (start, more)):
            which = update(usage).where(usage.c.subscription == subscription, usage.c.start == at)
            await connection.execute(which.values(spent=usage.c.spent + amount))
