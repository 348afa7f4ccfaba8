"""What the ledger holds of one provider's calls, to be compared with what the provider says. For the operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.json import decode
from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, or_, select

from gateway.store.forgetting import call_id_at
from gateway.store.tables import model_calls, price_adjustments

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database

_SLACK: Final = 60.0
"""Seconds by which the time in a call's id and the time when it was received may differ."""
_SUMS: Final = ("prompt_tokens", "completion_tokens", "cached_read_tokens", "cached_write_tokens", "cost")
_UNITS: Final = ("images", "seconds", "characters")


class Span(Struct, frozen=True, kw_only=True):
    """Which calls are meant: those that reached a provider and that it is paid for."""

    provider: str
    """The instance's name."""
    since: float
    until: float
    """The first moment that does not count; of the time when calls were received."""
    capabilities: Collection[str] | None = None
    """None for all but counting tokens, which is free."""


async def used_models(database: Database, span: Span) -> Mapping[str, Mapping[str, int]]:
    """Sums by upstream model: calls, tokens, units, and the cost with its adjustments. Raises `Unavailable`."""
    columns, price = model_calls.c, price_adjustments.c
    sums = [cast(func.coalesce(func.sum(columns[name]), 0), BigInteger).label(name) for name in _SUMS]
    query = select(columns.upstream_model, func.count().label("calls"), *sums)
    adjusted = select(columns.upstream_model, cast(func.sum(price.cost), BigInteger).label("cost")).join(
        price_adjustments, price.call == columns.id
    )
    units = select(columns.upstream_model, columns.units).where(columns.units.is_not(None))
    found: dict[str, dict[str, int]] = {}
    async with database.connect() as connection:
        for row in await connection.execute(query.where(_meant(span)).group_by(columns.upstream_model)):
            found[row.upstream_model] = {
                name: getattr(row, name) for name in ("calls", *_SUMS)
            } | dict.fromkeys(_UNITS, 0)
        for row in await connection.execute(adjusted.where(_meant(span)).group_by(columns.upstream_model)):
            found[row.upstream_model]["cost"] += row.cost
        exact: dict[tuple[str, str], float] = {}
        for row in await connection.execute(units.where(_meant(span))):
            counts: dict[str, Any] = decode(row.units)
            for name in _UNITS:
                place = row.upstream_model, name
                exact[place] = exact.get(place, 0) + counts.get(name, 0)
    for (model, name), count in exact.items():
        found[model][name] = round(count)
    return found


async def suspects(
    database: Database, span: Span, models: Collection[str] | None, *, limit: int
) -> Sequence[Row[Any]]:
    """The calls that most likely differ: estimated ones, then those that broke off, then those without a price."""
    columns = model_calls.c
    rank = case(
        (columns.estimated, 0), (columns.status != "success", 1), (columns.cost.is_(None), 2), else_=3
    )
    query = select(model_calls).where(_meant(span)).order_by(rank, columns.id.desc()).limit(limit)
    if models is not None:
        query = query.where(columns.upstream_model.in_(models))
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def each_call(database: Database, span: Span) -> Sequence[Row[Any]]:
    """All calls of a span, in order, their cost with its adjustments as `adjusted_cost`. Raises `Unavailable`."""
    adjustments = (
        select(func.coalesce(func.sum(price_adjustments.c.cost), 0))
        .where(price_adjustments.c.call == model_calls.c.id)
        .scalar_subquery()
    )
    adjusted = cast(func.coalesce(model_calls.c.cost, 0) + adjustments, BigInteger).label("adjusted_cost")
    query = select(model_calls, adjusted).where(_meant(span)).order_by(model_calls.c.id)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


def _meant(span: Span) -> ColumnElement[bool]:
    columns = model_calls.c
    if span.capabilities is None:
        asked = columns.capability != "tokens"
    else:
        asked = columns.capability.in_(span.capabilities)
    return and_(
        columns.provider == span.provider,
        columns.upstream_model.is_not(None),
        columns.id >= call_id_at(span.since - _SLACK),
        columns.id < call_id_at(span.until + _SLACK),
        columns.received_at >= span.since,
        columns.received_at < span.until,
        or_(columns.status == "success", columns.prompt_tokens.is_not(None)),
        asked,
    )
