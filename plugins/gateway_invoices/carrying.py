"""What is owed to a customer, by invoices below zero and credit notes: it is taken off the next invoices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import case, select, update

from gateway.store.structs import many
from gateway_invoices.checks import conflict
from gateway_invoices.document import Carried, Document
from gateway_invoices.reading import Invoice
from gateway_invoices.tables import invoices

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

HELD = ("issued", "paid")
"""The states in which what an invoice takes off is taken."""


async def carried_over(
    connection: AsyncConnection, tenant: str, entity: str, currency: str, total: int
) -> tuple[Carried, ...]:
    """What is taken off an invoice that asks for `total`: the oldest first, and no more than it asks."""
    query = select(invoices).where(
        invoices.c.tenant == tenant,
        invoices.c.entity == entity,
        invoices.c.currency == currency,
        invoices.c.status == "issued",
        invoices.c.open < 0,
    )
    carried: list[Carried] = []
    for source in await many(connection, query.order_by(invoices.c.issued_at, invoices.c.id), Invoice):
        amount = min(-source.open, total)
        if amount > 0:
            period = source.shown.period_start, source.shown.period_end
            carried.append(Carried(source.name, *period, -amount))
            total -= amount
    return tuple(carried)


async def take(connection: AsyncConnection, document: Document, now: float, revision: int) -> None:
    """Take off what an invoice says that is issued now; of what nothing is left, is paid. Raises `InvalidRequest` (409)."""
    for each in document.carried:
        left = invoices.c.open - each.amount
        taken = update(invoices).where(
            _is(each, document), invoices.c.status == "issued", invoices.c.open <= each.amount
        )
        values = {
            "open": left,
            "status": case((left == 0, "paid"), else_="issued"),
            "paid_at": case((left == 0, now)),
            "revision": revision,
        }
        if (await connection.execute(taken.values(**values))).rowcount != 1:
            raise conflict(f"{each.number} leaves less than is taken off; draft it again.")


async def give_back(connection: AsyncConnection, document: Document, revision: int) -> None:
    """Let what an invoice took off, that is void now, be taken off others."""
    for each in document.carried:
        back = update(invoices).where(_is(each, document), invoices.c.status.in_(HELD))
        values = {"open": invoices.c.open + each.amount, "status": "issued", "paid_at": None}
        await connection.execute(back.values(**values, revision=revision))


async def takers_of(connection: AsyncConnection, source: Invoice) -> list[str]:
    """The numbers of the invoices off which something of this one was taken."""
    return [
        one.name
        for one in await takers(connection, source.tenant)
        if any(each.number == source.name for each in one.shown.carried)
    ]


async def takers(connection: AsyncConnection, tenant: str) -> Sequence[Invoice]:
    """The invoices of a tenant off which something may have been taken."""
    query = select(invoices).where(
        invoices.c.tenant == tenant,
        invoices.c.kind == "invoice",
        invoices.c.status.in_(HELD),
        invoices.c.total > 0,
    )
    return await many(connection, query.order_by(invoices.c.id), Invoice)


async def taken_of(connection: AsyncConnection, tenant: str) -> Counter[str]:
    """How much of each is taken off others, in minor units, by its number."""
    taken: Counter[str] = Counter()
    for one in await takers(connection, tenant):
        for each in one.shown.carried:
            taken[each.number] -= each.amount
    return taken


def _is(source: Carried, document: Document) -> ColumnElement[bool]:
    return (
        (invoices.c.number == source.number)
        & (invoices.c.tenant == document.tenant)
        & (invoices.c.entity == document.entity)
        & (invoices.c.currency == document.currency)
    )
