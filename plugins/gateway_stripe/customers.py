"""One customer at Stripe for each tenant."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import select

from gateway.store.audit import record
from gateway.store.upsert import insert_into
from gateway_stripe.sender import asking
from gateway_stripe.tables import customers

if TYPE_CHECKING:
    import stripe

    from gateway.store import Database
    from gateway.store.audit import Actor


async def customer_of(database: Database, tenant: str) -> str | None:
    """The id of a tenant's customer; None when it is none yet."""
    async with database.connect() as connection:
        query = select(customers.c.id).where(customers.c.tenant == tenant)
        return (await connection.execute(query)).scalar_one_or_none()


async def tenant_of(database: Database, customer: str) -> str | None:
    """Whose customer it is; None when it is none of ours."""
    async with database.connect() as connection:
        query = select(customers.c.tenant).where(customers.c.id == customer)
        return (await connection.execute(query)).scalar_one_or_none()


async def ensure_customer(
    database: Database, client: stripe.StripeClient, tenant: str, *, place: str, actor: Actor
) -> str:
    """Make a tenant's customer unless there is one, and return its id.

    `place` tells gateways apart that share an account. Raises as `asking` does.
    """
    found = await customer_of(database, tenant)
    if found is not None:
        return found
    with asking("customer"):
        made = await client.v1.customers.create_async(
            {"name": tenant, "metadata": {"tenant": tenant, "gateway": place}},
            # Whoever asks at the same time is given the same customer.
            {"idempotency_key": f"customer:{place}:{tenant}"},
        )
    async with database.begin() as connection:
        row = {"tenant": tenant, "id": made.id, "remainder": 0, "created_at": time.time()}
        new = insert_into(connection, customers).values(row).on_conflict_do_nothing()
        if (await connection.execute(new)).rowcount:
            await record(connection, actor, "stripe.customer", made.id, tenant=tenant)
            return made.id
        query = select(customers.c.id).where(customers.c.tenant == tenant)
        return (await connection.execute(query)).scalar_one()
