"""What of the usage invoices need not ask for, as it was paid with credit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gateway.doors import Covered
from gateway.store.charge_sums import sum_of_adjustments, sum_of_charges
from gateway.store.tables import model_calls, price_adjustments
from gateway_credits.adjusting import pays
from gateway_credits.tables import accounts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def covered(
    connection: AsyncConnection, free: Collection[str], tenant: str, since: float, until: float
) -> Sequence[Covered]:
    """See `gateway.doors.Covers`: all that is charged from when the tenant had its first account; a debt is credit, too.

    `free` are the authenticators whose callers pay nothing here.
    """
    query = select(func.min(accounts.c.created_at)).where(accounts.c.tenant == tenant)
    first = await connection.scalar(query)
    if first is None:
        return ()
    paid = (pays(free), model_calls.c.ended_at >= first)
    made = price_adjustments.c.created_at
    charge = await sum_of_charges(connection, tenant, since, until, *paid)
    charge += await sum_of_adjustments(connection, tenant, made >= since, made < until, *paid)
    return (Covered(by="credit", charge=charge),) if charge else ()
