"""What the ledger has of a tenant's period, as lines: one for each provider and model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import and_, func, or_, select

from gateway.store.forgetting import call_id_at
from gateway.store.tables import model_calls, price_adjustments
from gateway_invoices.document import Line, Quantity

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_SLACK: Final = 3600.0
"""How far the time in a call's id may be from when it was received."""

_TOKENS: Final = {
    "input_tokens": model_calls.c.prompt_tokens,
    "cached_read_tokens": model_calls.c.cached_read_tokens,
    "cached_write_tokens": model_calls.c.cached_write_tokens,
    "output_tokens": model_calls.c.completion_tokens,
    "reasoning_tokens": model_calls.c.reasoning_tokens,
}
"""Those read and written are among the input's, those of reasoning among the output's."""

_MODEL: Final = func.coalesce(model_calls.c.upstream_model, model_calls.c.model)
_PROVIDER: Final = func.coalesce(model_calls.c.provider, "")


class Used(Struct, frozen=True, kw_only=True):
    """What is asked for a period, and what stands in the way."""

    lines: tuple[Line, ...]
    unpriced: int
    """Successful calls without a charge."""
    running: int
    """Calls that have not ended."""


async def used(connection: AsyncConnection, tenant: str, start: float, end: float) -> Used:
    """The calls received in a period, and the repricings made in it, whenever their calls were."""
    calls = and_(
        model_calls.c.tenant == tenant,
        model_calls.c.id >= call_id_at(start - _SLACK),
        model_calls.c.id < call_id_at(end + _SLACK),
        model_calls.c.received_at >= start,
        model_calls.c.received_at < end,
    )
    charged = and_(
        calls,
        model_calls.c.charge.is_not(None),
        or_(model_calls.c.charge != 0, model_calls.c.status == "success"),
    )
    more: dict[tuple[str, str], dict[str, Decimal]] = {}
    async for provider, model, counts in _units(connection, charged):
        mine = more.setdefault((provider, model), {})
        for name, count in counts.items():
            mine[name] = mine.get(name, Decimal(0)) + count
    query = (
        select(
            _PROVIDER.label("provider"),
            _MODEL.label("model"),
            func.count().label("calls"),
            func.sum(model_calls.c.charge).label("charge"),
            *(func.sum(column).label(name) for name, column in _TOKENS.items()),
        )
        .where(charged)
        .group_by(_PROVIDER, _MODEL)
    )
    rows = (await connection.execute(query)).all()
    lines = [_line(row, more.get((row.provider, row.model), {})) for row in rows]
    lines.sort(key=lambda line: (line.provider, line.text))
    if (adjusted := await _adjusted(connection, tenant, start, end)) is not None:
        lines.append(adjusted)
    lacking = and_(calls, model_calls.c.charge.is_(None))
    return Used(
        lines=tuple(lines),
        unpriced=await _count(connection, lacking, "success"),
        running=await _count(connection, lacking, "processing"),
    )


async def _units(
    connection: AsyncConnection, charged: ColumnElement[bool]
) -> AsyncIterator[tuple[str, str, dict[str, Decimal]]]:
    """What each call used that is not text."""
    query = select(_PROVIDER.label("provider"), _MODEL.label("model"), model_calls.c.units)
    async with connection.stream(query.where(charged, model_calls.c.units.is_not(None))) as rows:
        async for row in rows:
            found: dict[str, Any] = msgspec.json.decode(row.units)
            counts = {
                name: Decimal(str(count))
                for name, count in found.items()
                if not isinstance(count, str) and name != "batch_percent"
            }
            yield row.provider, row.model, counts


async def _adjusted(connection: AsyncConnection, tenant: str, start: float, end: float) -> Line | None:
    made = price_adjustments.c
    query = select(func.count(made.call.distinct()), func.sum(made.charge)).where(
        made.tenant == tenant, made.created_at >= start, made.created_at < end
    )
    calls, charge = (await connection.execute(query)).one()
    if not calls:
        return None
    return Line(kind="adjustment", text="", quantities=(Quantity("calls", str(calls)),), credits=int(charge))


async def _count(connection: AsyncConnection, which: ColumnElement[bool], status: str) -> int:
    query = select(func.count()).select_from(model_calls).where(which, model_calls.c.status == status)
    return await connection.scalar(query) or 0


def _line(row: Any, units: dict[str, Decimal]) -> Line:
    counts: dict[str, Decimal] = {"calls": Decimal(row.calls)}
    counts.update((name, Decimal(getattr(row, name) or 0)) for name in _TOKENS)
    counts.update(sorted(units.items()))
    return Line(
        kind="usage",
        text=row.model,
        provider=row.provider,
        quantities=tuple(Quantity(name, f"{count.normalize():f}") for name, count in counts.items() if count),
        credits=int(row.charge),
    )
