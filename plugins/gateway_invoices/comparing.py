"""Invoices beside the ledger: each is proved, and charges of months that are over and on no invoice are named."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, not_, or_, select

from gateway.doors import Finding
from gateway.store.forgetting import call_id_at
from gateway.store.tables import model_calls, usage_buckets
from gateway.types import NANO
from gateway_invoices.tables import customers, invoices
from gateway_invoices.verify import verify

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway_invoices.book import Book

_NAME: Final = "invoices"
_SLACK: Final = 3600.0
_MOST_CALLS: Final = 5


class Comparison:
    """`gateway.doors.Compares`."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def compare(self, since: float, until: float) -> Sequence[Finding]:
        """See the protocol."""
        query = select(invoices).where(
            invoices.c.status.in_(("issued", "paid")),
            invoices.c.period_end > since,
            invoices.c.period_start < until,
        )
        async with self._book.database.connect() as connection:
            rows = (await connection.execute(query.order_by(invoices.c.id))).all()
        found: list[Finding] = []
        for row in rows:
            problems = await verify(self._book, row.id)
            calls = await self._late(row) if problems and row.kind == "invoice" else ()
            found += [
                Finding(book=_NAME, tenant=row.tenant, object=row.number, problem=problem, calls=calls)
                for problem in problems
            ]
        return [*found, *await self._not_invoiced(rows, since, until)]

    async def _late(self, row: Row[tuple[object, ...]]) -> tuple[str, ...]:
        """The calls of an invoice's period that ended after it was issued."""
        call = model_calls.c
        query = select(call.id).where(
            call.tenant == row.tenant,
            call.id >= call_id_at(row.period_start - _SLACK),
            call.id < call_id_at(row.period_end + _SLACK),
            call.received_at >= row.period_start,
            call.received_at < row.period_end,
            call.ended_at > row.issued_at,
        )
        async with self._book.database.connect() as connection:
            return tuple((await connection.execute(query.order_by(call.id).limit(_MOST_CALLS))).scalars())

    async def _not_invoiced(
        self, rows: Sequence[Row[tuple[object, ...]]], since: float, until: float
    ) -> list[Finding]:
        """Charges of customers, in months that are over, on days of which there is no invoice."""
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        until = min(until, month.timestamp(), time.time())
        found: list[Finding] = []
        async with self._book.database.connect() as connection:
            tenants = (
                await connection.execute(select(customers.c.tenant).order_by(customers.c.tenant))
            ).scalars()
            bucket = usage_buckets.c
            for tenant in tenants.all():
                on = [
                    and_(bucket.start >= int(row.period_start), bucket.start < int(row.period_end))
                    for row in rows
                    if row.tenant == tenant and row.kind == "invoice"
                ]
                query = select(func.sum(bucket.charge)).where(
                    bucket.tenant == tenant,
                    bucket.start >= int(since),
                    bucket.start < int(until),
                    bucket.charge > 0,
                )
                charge = await connection.scalar(query.where(not_(or_(*on))) if on else query)
                if charge:
                    problem = f"{charge / NANO:.9f} credits were charged on days that are on no invoice"
                    found.append(Finding(book=_NAME, tenant=tenant, object="not invoiced", problem=problem))
        return found
