"""What invoices ask for plans, and what of the usage they need not ask for, as it is included."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, json
from sqlalchemy import func, select

from gateway.doors import Covered, Fee, Terms
from gateway.store.charge_sums import sum_of_adjustments, sum_of_charges
from gateway.store.structs import many
from gateway.store.tables import model_calls, price_adjustments
from gateway_subscription.rows import ChargeRow
from gateway_subscription.tables import charges
from gateway_subscription.terms import asks_beyond, name_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway_subscription.plans import Plans


class _Config(Struct, frozen=True):
    """What of the config it goes by."""

    authenticators: list[str]
    as_credit: bool


class _Period(Struct, frozen=True):
    """A period as it was known at some moment."""

    name: str
    """Of the plan, for people."""
    start: int
    end: int
    included: int | None
    """In 10⁻⁹ credit; None where nothing is asked for, however much is used."""


class Cover:
    """Tells of a tenant's plans. What is covered until a moment is a sum over periods: a time's share is a difference."""

    def __init__(self, plans: Plans, authenticators: Collection[str], *, as_credit: bool) -> None:
        """`authenticators` as in the config; `as_credit`: usage that is included is given as credit, and paid with that."""
        self._plans = plans
        self._today = _Config(sorted(authenticators), as_credit)

    def terms(self) -> Terms:
        """See `gateway.doors.Covers`."""
        return Terms("plan", json.encode(self._today).decode())

    async def cover(
        self, connection: AsyncConnection, tenant: str, since: float, until: float, terms: Terms
    ) -> Sequence[Fee | Covered]:
        """See `gateway.doors.Covers`."""
        config = json.decode(terms.config, type=_Config)
        query = select(charges).where(charges.c.tenant == tenant, charges.c.created_at < until)
        order = (charges.c.created_at, charges.c.start, charges.c.amount)
        rows = await many(connection, query.order_by(*order), ChargeRow)
        found: list[Fee | Covered] = [
            Fee(
                plan=name_of(row, self._plans),
                seats=row.seats,
                start=row.start,
                end=row.end,
                amount=row.amount,
                currency=row.currency,
            )
            for row in rows
            if row.created_at >= since and row.amount
        ]
        if config.as_credit:
            return found
        covered: dict[str, int] = {}
        before, after = [*self._periods(rows, since)], [*self._periods(rows, until)]
        touched = await _touched(connection, tenant, since, until)
        same = [each for each in before if each.end <= touched and each in after]
        for at, sign, periods in ((until, 1, after), (since, -1, before)):
            for period in periods:
                if period in same:
                    continue
                charge = await _covered(connection, tenant, period, at, config.authenticators)
                covered[period.name] = covered.get(period.name, 0) + sign * charge
        found += [Covered(by="plan", plan=name, charge=charge) for name, charge in covered.items() if charge]
        return found

    def _periods(self, rows: Sequence[ChargeRow], at: float) -> Iterator[_Period]:
        """The periods that had begun by a moment, by what was written down until then."""
        known = [row for row in rows if row.created_at < at and row.start < at]
        begun = sorted(
            (row for row in known if row.kind in {"trial", "period"}), key=lambda row: (row.start, row.id)
        )
        for place, first in enumerate(begun):
            end = min([first.end, *(row.start for row in begun[place + 1 : place + 2])])
            parts = [row for row in known if first.start <= row.start < end and row.kind != "unused"]
            terms = parts[-1] if parts else first
            limited = asks_beyond(terms, self._plans)
            included = sum(row.included for row in parts) if limited else None
            yield _Period(name_of(terms, self._plans), first.start, end, included)


async def _covered(
    connection: AsyncConnection, tenant: str, period: _Period, at: float, authenticators: Collection[str]
) -> int:
    ours = [model_calls.c.authenticator.in_(authenticators)] if authenticators else []
    made = price_adjustments.c
    used = await sum_of_charges(connection, tenant, period.start, min(period.end, at), *ours)
    used += await sum_of_adjustments(
        connection,
        tenant,
        made.created_at < at,
        made.received_at >= period.start,
        made.received_at < period.end,
        *ours,
    )
    return used if period.included is None else max(0, min(used, period.included))


async def _touched(connection: AsyncConnection, tenant: str, since: float, until: float) -> float:
    """From when on calls count, or count otherwise, by what happened in a time: repricings reach back."""
    made = price_adjustments.c
    query = select(func.min(made.received_at)).where(
        made.tenant == tenant, made.created_at >= since, made.created_at < until
    )
    first = await connection.scalar(query)
    return since if first is None else min(since, first)
