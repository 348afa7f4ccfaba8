"""How invoices end: paid, or void. What one took off, or what was taken of it, stays right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, update

from gateway.store.audit import Actor, record
from gateway_invoices.carrying import give_back, takers_of
from gateway_invoices.checks import conflict
from gateway_invoices.reading import Invoice, credit_notes_of, get_in_state, get_invoice
from gateway_invoices.tables import invoices, items

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def pay(connection: AsyncConnection, name: str, revision: int, *, actor: Actor) -> Invoice:
    """Note that an issued invoice was paid; of one below zero or a credit note, that what it leaves was given back."""
    found = await get_in_state(connection, name, "issued")
    return await _end(connection, found, "pay", revision, actor, status="paid", paid_at=time.time())


async def void(connection: AsyncConnection, name: str, revision: int, *, actor: Actor) -> Invoice:
    """Discard a draft, or void an issued invoice for which no money has flowed."""
    found = await get_in_state(connection, name, "draft", "issued", "paid")
    document = found.shown
    if found.kind != "invoice":
        raise conflict(f"{name} is a credit note, which stays as it is.")
    if found.status == "paid" and (document.due or document.total < 0):
        raise conflict(f"{name} is paid.")
    if await credit_notes_of(connection, found.id):
        raise conflict(f"{name} was credited; credit the rest of it.")
    if found.open < 0 and found.open != -document.owed:
        takers = await takers_of(connection, found)
        why = f"is taken off {', '.join(takers)}; void that first" if takers else "was given back in part"
        raise conflict(f"{name} {why}.")
    if found.status != "draft":
        await give_back(connection, document, revision)
        await connection.execute(update(items).where(items.c.invoice == found.id).values(invoice=None))
    return await _end(connection, found, "void", revision, actor, status="void", voided_at=time.time())


async def less_to_pay(
    connection: AsyncConnection, of: Invoice, amount: int, now: float, revision: int
) -> None:
    """After so much of an invoice was credited: where nothing is left to be paid, it is paid."""
    left = invoices.c.open - amount
    values = {
        "open": left,
        "status": case((left == 0, "paid"), else_=invoices.c.status),
        "paid_at": case((left == 0, now), else_=invoices.c.paid_at),
        "revision": revision,
    }
    unpaid = update(invoices).where(invoices.c.id == of.id, invoices.c.status == "issued")
    await connection.execute(unpaid.values(**values))


async def _end(
    connection: AsyncConnection, found: Invoice, verb: str, revision: int, actor: Actor, **values: Any
) -> Invoice:
    await connection.execute(
        update(invoices).where(invoices.c.id == found.id).values(**values, open=0, revision=revision)
    )
    after = {"status": values["status"], "number": found.number}
    await record(
        connection,
        actor,
        f"invoice.{verb}",
        found.id,
        tenant=found.tenant,
        before={"status": found.status},
        after=after,
    )
    return await get_invoice(connection, found.id)
