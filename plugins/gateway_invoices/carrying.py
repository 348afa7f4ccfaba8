"""What invoices that come to less than nothing leave over: it is taken off the customer's next ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from gateway.store.structs import many
from gateway_invoices.checks import conflict
from gateway_invoices.currency import decimal
from gateway_invoices.document import Carried, Document
from gateway_invoices.reading import Invoice
from gateway_invoices.tables import invoices

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_HELD = ("issued", "paid")
"""The states in which what an invoice takes off is taken."""


async def carried_over(
    connection: AsyncConnection, tenant: str, entity: str, currency: str, total: int
) -> tuple[Carried, ...]:
    """What earlier invoices leave to be taken off one that asks for `total`: the oldest first, and no more than it asks."""
    if total <= 0:
        return ()
    query = select(invoices).where(
        invoices.c.tenant == tenant,
        invoices.c.entity == entity,
        invoices.c.currency == currency,
        invoices.c.kind == "invoice",
        invoices.c.status == "issued",
        invoices.c.total < 0,
    )
    sources = await many(connection, query.order_by(invoices.c.issued_at, invoices.c.id), Invoice)
    taken = await _taken(connection, tenant) if sources else Counter[str]()
    carried: list[Carried] = []
    for source in sources:
        amount = min(-source.total - taken[source.name], total)
        if amount > 0:
            period = source.shown.period_start, source.shown.period_end
            carried.append(Carried(source.name, *period, -amount))
            total -= amount
    return tuple(carried)


async def left_of(connection: AsyncConnection, invoice: Invoice) -> int:
    """What an issued invoice that comes to less than nothing leaves, in minor units; 0 for others."""
    if invoice.kind != "invoice" or invoice.status != "issued" or invoice.total >= 0:
        return 0
    return -invoice.total - (await _taken(connection, invoice.tenant))[invoice.name]


async def takers_of(connection: AsyncConnection, invoice: Invoice) -> list[str]:
    """The numbers of the invoices off which something of this one was taken."""
    return [
        one.name
        for one in await _takers(connection, invoice.tenant)
        if any(each.number == invoice.name for each in one.shown.carried)
    ]


async def settle_sources(connection: AsyncConnection, document: Document, now: float, revision: int) -> None:
    """After an invoice was issued: those of which nothing is left are paid."""
    for source in await _sources(connection, document):
        if not await left_of(connection, source):
            paid = update(invoices).where(invoices.c.id == source.id, invoices.c.status == "issued")
            await connection.execute(paid.values(status="paid", paid_at=now, revision=revision))


async def give_back_to_sources(connection: AsyncConnection, taker: Invoice, revision: int) -> None:
    """Before an invoice is void: what it takes off is left by the earlier ones again.

    Raises `InvalidRequest` (409) where the rest of one was given back by hand, so that it is settled.
    """
    for source in await _sources(connection, taker.shown):
        if source.status == "issued":
            continue
        if (await _taken(connection, source.tenant))[source.name] != -source.total:
            raise conflict(
                f"{taker.name} takes off a part of {source.name}, whose rest was given back since; credit {taker.name}."
            )
        again = update(invoices).where(invoices.c.id == source.id)
        await connection.execute(again.values(status="issued", paid_at=None, revision=revision))


async def carrying_problems(connection: AsyncConnection, invoice: Invoice) -> list[str]:
    """What is wrong with what an invoice takes off, or with what was taken of it."""
    document, problems = invoice.shown, list[str]()
    if document.carried and document.total + sum(each.amount for each in document.carried) < 0:
        problems.append("more is taken off than it asks")
    if invoice.status not in _HELD:
        return problems
    taken = await _taken(connection, invoice.tenant)
    known = {source.name: source for source in await _sources(connection, document)}
    for each in document.carried:
        source = known.get(each.number)
        if source is None or source.currency != document.currency or each.amount >= 0:
            problems.append(f"{each.number}, of which it takes off something, leaves nothing to it")
        else:
            problems += _too_much(source, taken)
    if document.total < 0:
        problems += _too_much(invoice, taken)
    return problems


def _too_much(source: Invoice, taken: Counter[str]) -> list[str]:
    if taken[source.name] <= -source.total:
        return []
    amounts = (decimal(taken[source.name], source.currency), decimal(-source.total, source.currency))
    return [
        f"of {source.name}, {amounts[0]} {source.currency} are taken off others, and it leaves {amounts[1]}"
    ]


async def _sources(connection: AsyncConnection, document: Document) -> Sequence[Invoice]:
    """The invoices of which a document takes something off, as far as they are the customer's and come to less than nothing."""
    query = select(invoices).where(
        invoices.c.number.in_([each.number for each in document.carried]),
        invoices.c.tenant == document.tenant,
        invoices.c.entity == document.entity,
        invoices.c.status.in_(_HELD),
        invoices.c.total < 0,
        invoices.c.kind == "invoice",
    )
    return await many(connection, query.order_by(invoices.c.id), Invoice)


async def _taken(connection: AsyncConnection, tenant: str) -> Counter[str]:
    """How much of each invoice is taken off others, in minor units, by its number."""
    taken: Counter[str] = Counter()
    for one in await _takers(connection, tenant):
        for each in one.shown.carried:
            taken[each.number] -= each.amount
    return taken


async def _takers(connection: AsyncConnection, tenant: str) -> Sequence[Invoice]:
    query = select(invoices).where(
        invoices.c.tenant == tenant,
        invoices.c.kind == "invoice",
        invoices.c.status.in_(_HELD),
        invoices.c.total > 0,
    )
    return await many(connection, query.order_by(invoices.c.id), Invoice)
