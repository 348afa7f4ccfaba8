"""What Stripe was paid beside what we have given for it: paid invoices and orders, subscription by subscription."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from gateway.doors import Finding
from gateway_stripe.config import nano_of
from gateway_stripe.orders import Order, find_order, orders_since
from gateway_stripe.sender import NotAtStripe, asking, id_of
from gateway_stripe.subscriptions import paid_periods
from gateway_stripe.tables import customers

if TYPE_CHECKING:
    from gateway_stripe.office import Office

_NAME: Final = "stripe"


class Comparison:
    """`gateway.doors.Compares`. Asks Stripe, and changes nothing on either side."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._credits = {
            plan.price: nano_of(plan.credits) for plan in office.config.plans.values() if plan.credits
        }

    async def compare(self, since: float, until: float) -> Sequence[Finding]:
        """See the protocol. Raises as `asking` does."""
        async with self._office.database.connect() as connection:
            rows = (await connection.execute(select(customers.c.tenant, customers.c.id))).all()
        found: list[Finding] = []
        for row in rows:
            found += await self._invoices(row.tenant, row.id, since, until)
            found += await self._subscriptions(row.tenant, row.id)
        for order in await orders_since(self._office.database, since):
            if order.kind == "pack" and order.status == "paid" and order.created_at < until:
                found += await self._order(order)
        return found

    async def _invoices(self, tenant: str, customer: str, since: float, until: float) -> list[Finding]:
        """Paid invoices of periods that bring credits, and the orders by which these were given."""
        params: Any = {
            "customer": customer,
            "status": "paid",
            "created": {"gte": int(since), "lt": int(until)},
            "limit": 100,
        }
        found: list[Finding] = []
        with asking("invoices"):
            listed = await self._office.client.v1.invoices.list_async(params)
            invoices = [invoice async for invoice in listed.auto_paging_iter()]
        for invoice in invoices:
            owed = sum(self._credits.get(price, 0) for price in paid_periods(invoice))
            if not owed:
                continue
            order = await find_order(self._office.database, invoice.id)
            problem = None
            if order is None:
                problem = "it was paid, and its credits were not given: run `gateway stripe sync`"
            elif (order.amount, order.currency) != (invoice.amount_paid, invoice.currency):
                problem = f"{invoice.amount_paid} {invoice.currency} are paid, {order.amount} {order.currency} noted"
            if problem is not None:
                found.append(Finding(book=_NAME, tenant=tenant, object=invoice.id, problem=problem))
        return found

    async def _subscriptions(self, tenant: str, customer: str) -> list[Finding]:
        known = {one.id: one.status for one in await self._office.subscriptions.of_tenant(tenant)}
        with asking("subscriptions"):
            listed = await self._office.client.v1.subscriptions.list_async(
                {"customer": customer, "status": "all"}
            )
            there = {one.id: one.status async for one in listed.auto_paging_iter()}
        return [
            Finding(
                book=_NAME,
                tenant=tenant,
                object=name,
                problem=f"it is {there.get(name, 'unknown')} at Stripe, and {known.get(name, 'unknown')} here: run `gateway stripe sync`",
            )
            for name in sorted(known.keys() | there.keys())
            if known.get(name) != there.get(name)
        ]

    async def _order(self, order: Order) -> list[Finding]:
        try:
            with asking("payment"):
                paid = await self._office.client.v1.payment_intents.retrieve_async(order.payment or "")
        except NotAtStripe:
            problem = "its credits were given, and Stripe knows no such payment"
        else:
            if (paid.status, id_of(paid.customer)) == (
                "succeeded",
                order.customer,
            ) and paid.currency == order.currency:
                return []
            problem = f"its credits were given, and its payment is {paid.status} in {paid.currency} by {id_of(paid.customer)}"
        return [Finding(book=_NAME, tenant=order.tenant, object=order.id, problem=problem)]
