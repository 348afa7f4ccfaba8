"""To whom invoices go: name, address and tax id of tenants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import select

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.structs import one
from gateway.store.tenants import get_tenant
from gateway.store.upsert import insert_into
from gateway_invoices.checks import check_lengths
from gateway_invoices.document import Party
from gateway_invoices.tables import customers

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database

_COUNTRY: Final = re.compile("[A-Z]{2}")


class Customer(Struct, frozen=True, kw_only=True):
    """What is known of a customer. It stays when the tenant is erased: invoices must be kept."""

    name: str
    address: tuple[str, ...]
    country: str
    region: str = ""
    tax_id: str = ""
    email: str = ""
    language: str = "en"
    entity: str | None = None
    """Who invoices it; None for the usual one."""

    @property
    def party(self) -> Party:
        """The same as it stands on an invoice."""
        return Party(
            name=self.name,
            address=self.address,
            country=self.country,
            region=self.region,
            tax_id=self.tax_id,
            email=self.email,
        )


async def find_customer(connection: AsyncConnection, tenant: str) -> Customer | None:
    """The customer data of a tenant, or None."""
    return await one(connection, select(customers).where(customers.c.tenant == tenant), Customer)


async def read_customer(database: Database, tenant: str) -> Customer | None:
    """The customer data of a tenant, or None. Raises `Unavailable`."""
    async with database.connect() as connection:
        return await find_customer(connection, tenant)


async def set_customer(database: Database, tenant: str, customer: Customer, *, actor: Actor) -> None:
    """Write the customer data of a tenant; invoices that were issued keep what they say.

    Raises `InvalidRequest`: 404 when there is no such tenant, 400 for what cannot be kept; and `Unavailable`.
    """
    await get_tenant(database, tenant)
    values: dict[str, Any] = msgspec.to_builtins(customer)
    check_lengths(customers, values)
    if _COUNTRY.fullmatch(customer.country) is None:
        raise InvalidRequest("country is two capital letters, as ISO 3166 has it: DE.", param="country")
    async with database.begin() as connection:
        values["revision"] = await bump(connection, customers.name)
        before = await find_customer(connection, tenant)
        statement = insert_into(connection, customers).values(tenant=tenant, **values)
        statement = statement.on_conflict_do_update(index_elements=[customers.c.tenant], set_=values)
        await connection.execute(statement)
        # The log cannot be erased, so it tells what has changed, and no name or address.
        changed = [
            name
            for name in customer.__struct_fields__
            if getattr(before, name, None) != getattr(customer, name)
        ]
        await record(
            connection, actor, "invoice_customer.set", tenant, tenant=tenant, after={"changed": changed}
        )
