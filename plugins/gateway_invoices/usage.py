"""What the ledger has of a tenant's period, as lines: one for each model, thing that was used, and rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from sqlalchemy import and_, func, select

from gateway.doors import Fee
from gateway.store.forgetting import call_id_at
from gateway.store.tables import model_calls, price_adjustments
from gateway.types import NANO
from gateway_invoices.document import Line, Quantity

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.doors import Charged, Charges, Covers, Terms

_SLACK: Final = 3600.0
"""How far the time in a call's id may be from when it was received."""
_DECIMALS: Final = 12
"""Of a rate in credits; a margin and the worth of a credit may make one that has no end."""

_COVERED: Final = {"included": "included in the plan", "prepaid": "paid with credit"}


class Used(Struct, frozen=True, kw_only=True):
    """What is asked for a period, and what stands in the way."""

    lines: tuple[Line, ...]
    """Usage, repricings, and below zero what of both is included in a plan or paid with credit."""
    fees: tuple[Fee, ...]
    """Of plans."""
    unpriced: int
    """Successful calls without a charge."""
    running: int
    """Calls that have not ended."""


async def used(
    connection: AsyncConnection,
    charges: Charges,
    tenant: str,
    start: float,
    end: float,
    covers: Sequence[Covers] = (),
    terms: Sequence[Terms] | None = None,
) -> Used:
    """The calls received in a period, the repricings made in it, whenever their calls were, and what covers them.

    With `terms`, covered by those, and by nothing else; unless given, by those of today.
    """
    lines = [_line(one) for one in await charges.charged(connection, tenant, start, end)]
    if (adjusted := await _adjusted(connection, tenant, start, end)) is not None:
        lines.append(adjusted)
    fees: list[Fee] = []
    for each, by in _by_terms(covers, terms):
        for one in await each.cover(connection, tenant, start, end, by):
            if isinstance(one, Fee):
                fees.append(one)
            else:
                kind = "included" if one.by == "plan" else "prepaid"
                lines.append(Line(kind=kind, text=one.plan, credits=-one.charge))
    lacking = and_(
        model_calls.c.tenant == tenant,
        model_calls.c.id >= call_id_at(start - _SLACK),
        model_calls.c.id < call_id_at(end + _SLACK),
        model_calls.c.received_at >= start,
        model_calls.c.received_at < end,
        model_calls.c.charge.is_(None),
    )
    return Used(
        lines=tuple(lines),
        fees=tuple(fees),
        unpriced=await _count(connection, lacking, "success"),
        running=await _count(connection, lacking, "processing"),
    )


def _by_terms(covers: Sequence[Covers], kept: Sequence[Terms] | None) -> Iterator[tuple[Covers, Terms]]:
    """What covered then, by the terms of then."""
    for each in covers:
        today = each.terms()
        if kept is None:
            yield each, today
        else:
            yield from ((each, then) for then in kept if then.by == today.by)


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


def _line(one: Charged) -> Line:
    counts = [(one.unit, one.quantity)]
    if one.rate is None:
        counts += one.uses.items()
    elif one.calls:
        counts.append(("calls", Decimal(one.calls)))
    return Line(
        kind="usage",
        text=one.model,
        provider=one.provider,
        detail=one.detail,
        quantities=tuple(Quantity(name, f"{count.normalize():f}") for name, count in counts),
        rate=None if one.rate is None else rate_text(one.rate / NANO),
        per=one.per,
        credits=one.charge,
    )


def fee_line(fee: Fee) -> Line:
    """What is asked for a plan."""
    first, last = (datetime.fromtimestamp(moment, UTC).date() for moment in (fee.start, fee.end - 1))
    return Line(
        kind="fee",
        text=fee.plan,
        detail=f"{first} {last}",
        quantities=(Quantity("", "1"), Quantity("seats", str(fee.seats))),
        unit_price=f"{Decimal(fee.amount).scaleb(-9).normalize():f}",
    )


def rate_text(rate: Fraction) -> str:
    """A rate as a decimal number, exactly unless it has more than twelve decimals."""
    return f"{(Decimal(round(rate * 10**_DECIMALS)).scaleb(-_DECIMALS)).normalize():f}"


def sums_by_model(lines: Sequence[Line]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """Credits and calls of the lines from the ledger, by provider and model; what is covered by how and plan."""
    sums: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for line in lines:
        if line.credits is None:
            continue
        key = _COVERED.get(line.kind, line.provider), line.text
        credits_, calls = sums.get(key, (0, Decimal(0)))
        more = sum((Decimal(one.amount) for one in line.quantities if one.unit == "calls"), Decimal(0))
        sums[key] = credits_ + line.credits, calls + more
    return sums
