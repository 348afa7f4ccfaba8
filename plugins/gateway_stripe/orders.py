"""Orders: what somebody set out to buy, written down before Stripe hears of it. A payment is bound to its order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import and_, insert, or_, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.random_ids import new_id
from gateway.store.upsert import insert_into
from gateway_stripe.tables import orders

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from gateway.store import Database

STRIPE: Final = Actor(kind="gateway", id="billing.stripe")
"""Who acts when a webhook does."""


class Order(Struct, frozen=True, kw_only=True):
    """A row of `stripe_orders`."""

    id: str
    tenant: str
    user: str | None
    kind: str
    item: str
    credits: int
    amount: int | None
    currency: str | None
    price: str | None
    customer: str
    session: str | None
    url: str | None
    payment: str | None
    status: str
    problem: str | None
    reversed: int
    created_at: float
    paid_at: float | None

    @property
    def reference(self) -> str:
        """Under which its credits are granted."""
        return f"stripe:{self.id}"


def new_order(**values: Any) -> Order:
    """Make an order that is not stored; unless told, it has a new id and is not paid."""
    usual: dict[str, Any] = {
        "id": new_id("ord_"),
        "session": None,
        "url": None,
        "payment": None,
        "status": "open",
        "problem": None,
        "reversed": 0,
        "created_at": time.time(),
        "paid_at": None,
    }
    return Order(**{**usual, **values})


async def add_order(database: Database, order: Order, *, actor: Actor) -> None:
    """Store an order."""
    row = {name: getattr(order, name) for name in order.__struct_fields__}
    async with database.begin() as connection:
        await connection.execute(insert(orders).values(row))
        after = {name: row[name] for name in ("kind", "item", "credits", "amount", "currency")}
        await record(connection, actor, "stripe.order", order.id, tenant=order.tenant, after=after)


async def add_period(database: Database, order: Order) -> None:
    """Store what was paid without being ordered anew, unless that was done."""
    row = {name: getattr(order, name) for name in order.__struct_fields__}
    async with database.begin() as connection:
        new = insert_into(connection, orders).values(row).on_conflict_do_nothing()
        if (await connection.execute(new)).rowcount:
            after = {name: row[name] for name in ("kind", "item", "credits", "amount", "currency")}
            await record(connection, STRIPE, "stripe.paid", order.id, tenant=order.tenant, after=after)


async def place(database: Database, order: Order, session: str, url: str) -> None:
    """Note where an order can be paid."""
    async with database.begin() as connection:
        here = update(orders).where(orders.c.id == order.id).values(session=session, url=url)
        await connection.execute(here)


async def get_order(database: Database, tenant: str, id: str) -> Order:
    """One order of a tenant. Raises `InvalidRequest` (404)."""
    found = await _one(database, and_(orders.c.tenant == tenant, orders.c.id == id))
    if found is None:
        raise InvalidRequest(f"There is no order {id!r}.", status=404, code="not_found")
    return found


async def list_orders(
    database: Database, tenant: str, *, limit: int, before: tuple[float, str] | None = None
) -> Sequence[Order]:
    """The orders of a tenant, newest first; `before` is the time and id of the last one that was seen."""
    query = select(orders).where(orders.c.tenant == tenant)
    if before is not None:
        at, last = before
        made = orders.c.created_at
        query = query.where(or_(made < at, and_(made == at, orders.c.id < last)))
    query = query.order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(limit)
    async with database.connect() as connection:
        return [Order(**row) for row in (await connection.execute(query)).mappings()]


async def find_order(database: Database, id: str) -> Order | None:
    """One order of whatever tenant: for the operator, and for what Stripe tells."""
    return await _one(database, orders.c.id == id)


async def order_of_payment(database: Database, payment: str) -> Order | None:
    """The order that a payment intent has paid."""
    return await _one(database, orders.c.payment == payment)


async def orders_since(database: Database, since: float) -> Sequence[Order]:
    """All tenants' orders that were made or paid since then, and what is open; oldest first: for the operator."""
    recent = or_(orders.c.created_at >= since, orders.c.paid_at >= since, orders.c.status == "open")
    async with database.connect() as connection:
        rows = await connection.execute(select(orders).where(recent).order_by(orders.c.created_at))
        return [Order(**row) for row in rows.mappings()]


async def end_order(
    database: Database, order: Order, status: str, *, payment: str | None = None, problem: str | None = None
) -> None:
    """Move an order on, unless it is paid already: then nothing changes any more."""
    now = time.time()
    paid_at = now if status == "paid" else None
    change = (
        update(orders)
        .where(orders.c.id == order.id, orders.c.status.not_in(("paid", status)))
        .values(status=status, problem=problem, payment=payment, paid_at=paid_at, url=None)
    )
    async with database.begin() as connection:
        if (await connection.execute(change)).rowcount:
            before, after = {"status": order.status}, {"status": status, "problem": problem}
            await record(
                connection,
                STRIPE,
                f"stripe.{status}",
                order.id,
                tenant=order.tenant,
                before=before,
                after=after,
            )


async def _one(database: Database, which: ColumnElement[bool]) -> Order | None:
    async with database.connect() as connection:
        row = (await connection.execute(select(orders).where(which))).mappings().one_or_none()
        return None if row is None else Order(**row)
