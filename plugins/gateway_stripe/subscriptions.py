"""Subscriptions as Stripe has them, and the credits that come with their paid periods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import select

from gateway.errors import InvalidRequest
from gateway.store.audit import record
from gateway.store.upsert import insert_into
from gateway_stripe.config import nano_of
from gateway_stripe.customers import tenant_of
from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.leading import SERVED
from gateway_stripe.orders import STRIPE, add_period, new_order
from gateway_stripe.sender import asking, id_of
from gateway_stripe.tables import subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import stripe

    from gateway.doors import CreditBook
    from gateway.store import Database
    from gateway_stripe.config import StripeConfig
    from gateway_stripe.leading import Leading

_NEW_PERIODS: Final = frozenset({"subscription_create", "subscription_cycle"})
"""Why Stripe makes an invoice for a new period, and not for a change within one."""


class Subscription(Struct, frozen=True, kw_only=True):
    """A row of `stripe_subscriptions`."""

    id: str
    tenant: str
    customer: str
    plan: str | None
    status: str
    seats: int
    period_start: float | None
    period_end: float | None
    ends: bool
    seen_at: float


class Subscriptions:
    """Keeps what Stripe says of each subscription now."""

    def __init__(
        self,
        config: StripeConfig,
        database: Database,
        client: stripe.StripeClient,
        book: Callable[[], CreditBook],
        leading: Leading,
    ) -> None:
        self._leading = leading
        self._config = config
        self._plans = {plan.price: name for name, plan in config.plans.items()}
        self._database = database
        self._client = client
        self._book = book

    async def refresh(self, id: str) -> Subscription:
        """Ask Stripe for a subscription and store it. Raises `NotOurs` for another's, and as `asking` does."""
        seen_at = time.time()  # before it is asked: of two answers the one asked for later counts
        with asking("subscription"):
            found = await self._client.v1.subscriptions.retrieve_async(id)
        return await self._store(found, seen_at)

    async def refresh_all(self, customer: str) -> int:
        """Ask for all subscriptions of a customer; return how many there are."""
        count, seen_at = 0, time.time()
        with asking("subscriptions"):
            listed = await self._client.v1.subscriptions.list_async({"customer": customer, "status": "all"})
            async for found in listed.auto_paging_iter():
                await self._store(found, seen_at)
                count += 1
        return count

    async def of_tenant(self, tenant: str) -> Sequence[Subscription]:
        """The subscriptions of a tenant."""
        query = select(subscriptions).where(subscriptions.c.tenant == tenant).order_by(subscriptions.c.id)
        async with self._database.connect() as connection:
            rows = await connection.execute(query)
            return [Subscription(**row) for row in rows.mappings()]

    async def served(self, tenant: str) -> Subscription | None:
        """The one of a tenant's subscriptions to a linked plan that runs."""
        linked = {name for name, plan in self._config.plans.items() if plan.plan is not None}
        found = [one for one in await self.of_tenant(tenant) if one.plan in linked and one.status in SERVED]
        return max(found, key=lambda one: (one.period_start or 0, one.id), default=None)

    async def change(
        self, tenant: str, *, plan: str | None, seats: int | None, ends: bool | None
    ) -> Subscription:
        """Change plan, seats, or whether it ends with its period; Stripe settles the rest of the period.

        What is more is invoiced at once, what is less is taken off the next invoice. Raises `InvalidRequest`: 404
        without a subscription, and for what is not on sale; and as `asking` does.
        """
        before = await self.served(tenant)
        if before is None:
            raise InvalidRequest("There is no subscription to change.", status=404, code="not_found")
        name, count = plan or before.plan or "", seats or before.seats
        if name not in self._config.plans:
            listed = ", ".join(self._config.plans)
            raise InvalidRequest(f"There is no plan {name!r}. On sale: {listed}.", status=404, param="plan")
        self._leading.trial_days(tenant, name, count)
        with asking("subscription"):
            found = await self._client.v1.subscriptions.retrieve_async(before.id)
            params: Any = {} if ends is None else {"cancel_at_period_end": ends}
            if (name, count) != (before.plan, before.seats):
                item = next(one for one in found["items"].data if one.price.id in self._plans)
                params["items"] = [
                    {"id": item.id, "price": self._config.plans[name].price, "quantity": count}
                ]
                params["proration_behavior"] = "always_invoice"
            seen_at = time.time()
            if params:
                found = await self._client.v1.subscriptions.update_async(before.id, params)
        return await self._store(found, seen_at)

    async def paid(self, invoice_id: str) -> bool:
        """Grant what comes with a paid period; return whether that was anything.

        Raises `Refused` for an invoice that is not its subscription's customer's, and as `asking` does.
        """
        with asking("invoice"):
            invoice = await self._client.v1.invoices.retrieve_async(invoice_id, {"expand": ["payments"]})
        parent = invoice.parent
        details = parent.subscription_details if parent is not None else None
        subscription = id_of(details.subscription) if details is not None else None
        if subscription is None:
            return False
        whose = await self.refresh(subscription)
        prices = paid_periods(invoice)
        plans = [name for price, name in self._plans.items() if price in prices]
        nano = sum(nano_of(self._config.plans[name].credits) for name in plans)
        if not nano:
            return False
        if id_of(invoice.customer) != whose.customer:
            raise Refused("it is another customer's")
        period = new_order(
            id=invoice.id,
            tenant=whose.tenant,
            user=None,
            kind="period",
            item=plans[0],
            credits=nano,
            amount=invoice.amount_paid,
            currency=invoice.currency,
            price=None,
            customer=whose.customer,
            payment=_payment_of(invoice),
            status="paid",
            paid_at=time.time(),
        )
        await self._book().grant(whose.tenant, nano, kind="paid", reference=period.reference)
        await add_period(self._database, period)
        return True

    async def _store(self, found: stripe.Subscription, seen_at: float) -> Subscription:
        customer = id_of(found.customer) or ""
        tenant = await tenant_of(self._database, customer)
        if tenant is None:
            raise NotOurs("it is of no customer of ours")
        items = found["items"].data  # the attribute is the mapping's own method
        plans = [self._plans[item.price.id] for item in items if item.price.id in self._plans]
        new = Subscription(
            id=found.id,
            tenant=tenant,
            customer=customer,
            plan=plans[0] if plans else None,
            status=found.status,
            seats=sum(item.quantity or 1 for item in items if item.price.id in self._plans) or 1,
            period_start=max((float(item.current_period_start) for item in items), default=None),
            period_end=max((float(item.current_period_end) for item in items), default=None),
            ends=bool(found.cancel_at_period_end),
            seen_at=seen_at,
        )
        await self._write(new)
        await self._leading.lead(tenant, await self.of_tenant(tenant))
        return new

    async def _write(self, new: Subscription) -> None:
        row: dict[str, Any] = {name: getattr(new, name) for name in new.__struct_fields__}
        kept = subscriptions.c
        async with self._database.begin() as connection:
            query = (
                select(kept.status, kept.plan, kept.seats, kept.ends)
                .where(kept.id == new.id)
                .with_for_update()
            )
            before = (await connection.execute(query)).mappings().one_or_none()
            statement = insert_into(connection, subscriptions).values(row)
            upsert = statement.on_conflict_do_update(
                index_elements=[kept.id], set_=row, where=kept.seen_at <= new.seen_at
            )
            changed = (await connection.execute(upsert)).rowcount
            told = {"status": new.status, "plan": new.plan, "seats": new.seats, "ends": new.ends}
            known = None if before is None else dict(before)
            if changed and told != known:
                await record(
                    connection,
                    STRIPE,
                    "stripe.subscription",
                    new.id,
                    tenant=new.tenant,
                    before=known,
                    after=told,
                )


def _payment_of(invoice: stripe.Invoice) -> str | None:
    """The payment intent by which it was paid; a refund of it takes the credits back."""
    payments = invoice.payments.data if invoice.payments is not None else []
    return next((id_of(each.payment.payment_intent) for each in payments if each.status == "paid"), None)


def paid_periods(invoice: stripe.Invoice) -> set[str]:
    """The prices whose new period was paid by an invoice, with money or from the customer's balance at Stripe.

    What is left to settle of a change within the period before is none; nor is what costs nothing, as on trial.
    """
    if invoice.status != "paid" or invoice.billing_reason not in _NEW_PERIODS or invoice.total <= 0:
        return set()
    lines = [line for line in invoice.lines.data if line.amount > 0 and not _is_change(line)]
    return {price for line in lines if (price := _price_of(line)) is not None}


def _is_change(line: stripe.InvoiceLineItem) -> bool:
    if line.parent is None:
        return False
    details = line.parent.invoice_item_details or line.parent.subscription_item_details
    return details is not None and details.proration


def _price_of(line: stripe.InvoiceLineItem) -> str | None:
    """The id of the price of an invoice's line."""
    pricing = line.pricing
    details = pricing.price_details if pricing is not None else None
    return None if details is None else id_of(details.price)
