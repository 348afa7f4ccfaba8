"""The door for what is not in the ledger: plan fees, adjustments, credits used. Each waits for the next invoice."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from sqlalchemy import insert, select

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.random_ids import new_id
from gateway.store.tenants import get_tenant
from gateway_invoices.checks import check_lengths
from gateway_invoices.tables import items

if TYPE_CHECKING:
    from gateway.store import Database

ItemKind = Literal["fee", "adjustment", "credits"]


class NewItem(Struct, frozen=True, kw_only=True):
    """A line to be added."""

    text: str
    kind: ItemKind
    quantity: Decimal = Decimal(1)
    unit_price: Decimal
    """In money; negative for what is to be taken off."""
    currency: str
    reference: str
    """The reason, as `subscription:2026-10`: whatever is added twice under one of a tenant's is added once."""


async def add_item(database: Database, tenant: str, new: NewItem, *, actor: Actor) -> bool:
    """Add a line to the tenant's next invoice in that currency; return False when it was added before.

    Raises `InvalidRequest`: 404 when there is no such tenant, 409 when `reference` was given for another line.
    """
    await get_tenant(database, tenant)
    values: dict[str, Any] = {
        "kind": new.kind,
        "text": new.text,
        "quantity": f"{new.quantity.normalize():f}",
        "unit_price": f"{new.unit_price.normalize():f}",
        "currency": new.currency,
    }
    check_lengths(items, {**values, "reference": new.reference})
    async with database.begin() as connection:
        await bump(connection, "invoices")
        query = select(items).where(items.c.tenant == tenant, items.c.reference == new.reference)
        row = (await connection.execute(query)).one_or_none()
        if row is not None:
            if any(getattr(row, name) != value for name, value in values.items()):
                raise InvalidRequest(
                    f"The reference {new.reference!r} was given for another line.",
                    status=409,
                    code="conflict",
                )
            return False
        item = new_id("ini_")
        await connection.execute(
            insert(items).values(
                id=item, tenant=tenant, reference=new.reference, created_at=time.time(), **values
            )
        )
        await record(connection, actor, "invoice_item.add", item, tenant=tenant, after=values)
        return True
