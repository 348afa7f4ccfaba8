"""Invoices as rows. The functions that take a tenant show nothing of another's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import or_, select

from gateway.errors import InvalidRequest
from gateway.store.structs import many
from gateway_invoices.checks import conflict
from gateway_invoices.document import Document, decoded
from gateway_invoices.tables import invoices

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database


class Invoice(Struct, frozen=True, kw_only=True):
    """A row of `invoices`. Times are Unix seconds, money is minor units."""

    id: str
    tenant: str
    entity: str
    kind: str
    status: str
    number: str | None
    of: str | None
    period_start: float
    period_end: float
    currency: str
    total: int
    open: int
    """Still to be paid; below zero, still owed to the customer."""
    document: bytes
    hash: str | None
    created_at: float
    issue_at: float | None
    issued_at: float | None
    paid_at: float | None
    voided_at: float | None
    revision: int

    @property
    def name(self) -> str:
        """Its number, or its id before it has one."""
        return self.number or self.id

    @property
    def shown(self) -> Document:
        """What stands on it."""
        return decoded(self.document)


def day_of(moment: float) -> str:
    """The day, in UTC, of a moment in Unix seconds: `2026-10-31`."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


async def list_invoices(
    database: Database,
    tenant: str | None,
    *,
    after: str | None = None,
    limit: int,
    status: str | None = None,
    numbered: bool = False,
) -> Sequence[Invoice]:
    """The invoices of a tenant, or for the operator of all, newest first; with `numbered` none that are drafts.

    Raises `Unavailable`.
    """
    query = select(invoices).order_by(invoices.c.id.desc()).limit(limit)
    if tenant is not None:
        query = query.where(invoices.c.tenant == tenant)
    if after is not None:
        query = query.where(invoices.c.id < after)
    if numbered:
        query = query.where(invoices.c.number.is_not(None))
    if status is not None:
        query = query.where(invoices.c.status == status)
    async with database.connect() as connection:
        return await many(connection, query, Invoice)


async def get_invoice(connection: AsyncConnection, name: str, *, tenant: str | None = None) -> Invoice:
    """The invoice of that number or id; with `tenant` only if it is that tenant's. Raises `InvalidRequest` (404)."""
    query = select(invoices).where(or_(invoices.c.number == name, invoices.c.id == name))
    if tenant is not None:
        query = query.where(invoices.c.tenant == tenant)
    found = await many(connection, query, Invoice)
    if not found:
        raise InvalidRequest(f"There is no invoice {name!r}.", status=404, code="not_found")
    return found[0]


async def read_invoice(database: Database, name: str, *, tenant: str | None = None) -> Invoice:
    """The same, on a connection of its own. Raises `Unavailable` too."""
    async with database.connect() as connection:
        return await get_invoice(connection, name, tenant=tenant)


async def get_in_state(connection: AsyncConnection, name: str, *states: str) -> Invoice:
    """The same, if it is in one of the states. Raises `InvalidRequest`: 404, 409."""
    found = await get_invoice(connection, name)
    if found.status not in states:
        raise conflict(f"{name} is {found.status}.")
    return found


async def credit_notes_of(connection: AsyncConnection, id: str) -> Sequence[Invoice]:
    """The credit notes of an invoice, the oldest first."""
    query = select(invoices).where(invoices.c.of == id)
    return await many(connection, query.order_by(invoices.c.id), Invoice)
