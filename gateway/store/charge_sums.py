"""What a tenant's calls were charged, and what pricing again has added to that, as sums in 10⁻⁹ credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from gateway.store.forgetting import call_id_at
from gateway.store.tables import model_calls, price_adjustments

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_SLACK: Final = 3600.0
"""How far the time in a call's id may be from when it was received."""


async def sum_of_charges(
    connection: AsyncConnection, tenant: str, since: float, until: float, *which: ColumnElement[bool]
) -> int:
    """What the calls received from `since` until before `until` (Unix seconds) were charged when they ended.

    `which` are conditions on `model_calls`.
    """
    call = model_calls.c
    query = select(func.sum(call.charge)).where(
        call.tenant == tenant,
        call.id >= call_id_at(since - _SLACK),
        call.id < call_id_at(until + _SLACK),
        call.received_at >= since,
        call.received_at < until,
        *which,
    )
    return int(await connection.scalar(query) or 0)


async def sum_of_adjustments(connection: AsyncConnection, tenant: str, *which: ColumnElement[bool]) -> int:
    """What pricing again has added; `which` are conditions on `price_adjustments` and on `model_calls`, their calls."""
    made = price_adjustments.c
    query = (
        select(func.sum(made.charge))
        .join_from(price_adjustments, model_calls, model_calls.c.id == made.call)
        .where(made.tenant == tenant, *which)
    )
    return int(await connection.scalar(query) or 0)
