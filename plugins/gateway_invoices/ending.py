"""How invoices end: paid, or void. What one took off, or what was taken of it, stays right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from gateway.store.audit import Actor, record
from gateway_invoices.carrying import give_back_to_sources, takers_of
from gateway_invoices.checks import conflict
from gateway_invoices.reading import Invoice, credit_notes_of, get_in_state, get_invoice
from gateway_invoices.tables import invoices, items

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def pay(connection: AsyncConnection, name: str, revision: int, *, actor: Actor) -> Invoice:
    """Note that an issued invoice was paid; one below zero, that what it leaves was given back."""
    found = _invoice(await get_in_state(connection, name, "issued"))
    return await _end(connection, found, "pay", revision, actor, status="paid", paid_at=time.time())


async def void(connection: AsyncConnection, name: str, revision: int, *, actor: Actor) -> Invoice:
    """Discard a draft, or void an issued invoice for which no money has flowed."""
    found = _invoice(await get_in_state(connection, name, "draft", "issued", "paid"))
    document = found.shown
    if found.status == "paid" and (document.due or document.total < 0):
        raise conflict(f"{name} is paid.")
    if await credit_notes_of(connection, found.id):
        raise conflict(f"{name} was credited; credit the rest of it.")
    if found.status != "draft" and document.total < 0 and (takers := await takers_of(connection, found)):
        raise conflict(f"{name} is taken off {', '.join(takers)}; void that first.")
    if found.status != "draft":
        await give_back_to_sources(connection, found, revision)
        await connection.execute(update(items).where(items.c.invoice == found.id).values(invoice=None))
    return await _end(connection, found, "void", revision, actor, status="void", voided_at=time.time())


def _invoice(found: Invoice) -> Invoice:
    if found.kind != "invoice":
        raise conflict(f"{found.name} is a credit note, which stays as it is.")
    return found


async def _end(
    connection: AsyncConnection, found: Invoice, verb: str, revision: int, actor: Actor, **values: Any
) -> Invoice:
    await connection.execute(
        update(invoices).where(invoices.c.id == found.id).values(**values, revision=revision)
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
