"""Proves what is open of an invoice or credit note, and what is carried over: from the documents alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from gateway.store.structs import many
from gateway_invoices.carrying import HELD, taken_of
from gateway_invoices.currency import decimal
from gateway_invoices.document import Document
from gateway_invoices.reading import Invoice, credit_notes_of
from gateway_invoices.tables import invoices

if TYPE_CHECKING:
    from collections import Counter

    from sqlalchemy.ext.asyncio import AsyncConnection


async def balance_problems(connection: AsyncConnection, invoice: Invoice) -> list[str]:
    """What is wrong with what an invoice takes off, with what was taken of it, or with what is open of it."""
    document, problems = invoice.shown, list[str]()
    if document.carried and document.total + sum(each.amount for each in document.carried) < 0:
        problems.append("more is taken off than it asks")
    if invoice.status in HELD and (document.carried or document.owed):
        taken = await taken_of(connection, invoice.tenant)
        known = {source.name: source for source in await _sources(connection, document)}
        for each in document.carried:
            source = known.get(each.number)
            if source is None or each.amount >= 0:
                problems.append(f"{each.number}, of which it takes off something, leaves nothing to it")
            else:
                problems += _too_much(source, taken)
        problems += _too_much(invoice, taken)
    if not await _is_open(connection, invoice):
        shown = f"{decimal(invoice.open, invoice.currency)} {invoice.currency}"
        problems.append(f"it is {invoice.status} with {shown} open, which is not what its documents say")
    return problems


async def _is_open(connection: AsyncConnection, invoice: Invoice) -> bool:
    """Whether what is open can be: what is due less what was credited; or what is owed, unless it was given back."""
    if invoice.status != "issued":
        return invoice.open == 0
    document = invoice.shown
    if document.owed:
        taken = (await taken_of(connection, invoice.tenant))[invoice.name]
        return 0 < -invoice.open <= document.owed - taken
    notes = [note.shown for note in await credit_notes_of(connection, invoice.id)]
    credited = sum(-note.total - note.owed for note in notes)
    return invoice.open == document.due - credited


def _too_much(source: Invoice, taken: Counter[str]) -> list[str]:
    owed = source.shown.owed
    if taken[source.name] <= owed:
        return []
    amounts = (decimal(taken[source.name], source.currency), decimal(owed, source.currency))
    return [
        f"of {source.name}, {amounts[0]} {source.currency} are taken off others, and it leaves {amounts[1]}"
    ]


async def _sources(connection: AsyncConnection, document: Document) -> list[Invoice]:
    """What a document takes something off, as far as it is the customer's and owes them something."""
    query = select(invoices).where(
        invoices.c.number.in_([each.number for each in document.carried]),
        invoices.c.tenant == document.tenant,
        invoices.c.entity == document.entity,
        invoices.c.currency == document.currency,
        invoices.c.status.in_(HELD),
    )
    return [one for one in await many(connection, query, Invoice) if one.shown.owed]
