"""Renews subscriptions, gives the usage that comes with them as credit, and sweeps away the holds of settled calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, false, select, update

from gateway.rounds import Rounds
from gateway_subscription.rows import renew_due
from gateway_subscription.tables import charges, holds

if TYPE_CHECKING:
    import logging

    from gateway.plugin import Context
    from gateway_subscription.plans import Plans
    from gateway_subscription.recounting import Recounter

_PAUSE: Final = 5.0
_AT_ONCE: Final = 500


class Keeper(Rounds):
    """Works every five seconds. Several workers may, for everything is done once whoever does it."""

    def __init__(
        self,
        context: Context,
        plans: Plans,
        recounter: Recounter,
        *,
        priority: int | None,
        log: logging.Logger,
    ) -> None:
        """`priority` is that of the credit that comes with plans; None where they bring none."""
        super().__init__("subscription: keeper", pause=_PAUSE, log=log)
        self._context = context
        self._database = context.database
        self._plans = plans
        self._recounter = recounter
        self._priority = priority

    async def go_round(self) -> None:
        """Do what is due. Raises `Unavailable`; then it is still due."""
        await renew_due(self._database, self._plans)
        await self._recounter.young(self._database)
        await self._grant()
        await self._sweep()

    async def _grant(self) -> None:
        """Give credit that ends with its period; its reference keeps it from being given twice."""
        book, priority = self._context.credits, self._priority
        if book is None or priority is None:
            return
        query = select(charges).where(charges.c.granted == false(), charges.c.end > time.time())
        async with self._database.connect() as connection:
            rows = (await connection.execute(query.limit(_AT_ONCE))).all()
        for row in rows:
            await book.grant(
                row.tenant,
                row.included,
                kind="promotional",
                reference=f"subscription:{row.id}",
                expires_at=float(row.end),
                priority=priority,
            )
            done = update(charges).where(charges.c.tenant == row.tenant, charges.c.id == row.id)
            async with self._database.begin() as connection:
                await connection.execute(done.values(granted=True))

    async def _sweep(self) -> None:
        async with self._database.begin() as connection:
            query = select(holds.c.call).where(holds.c.status == "settled").limit(_AT_ONCE)
            settled = [*(await connection.execute(query)).scalars()]
            if settled:
                await connection.execute(delete(holds).where(holds.c.call.in_(settled)))
