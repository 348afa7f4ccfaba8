"""Refunds and disputes take credits back; those that fail, or are won, give them back. Each counts once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from gateway.store.audit import record
from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.orders import STRIPE, Order, find_order, order_of_payment
from gateway_stripe.sender import asking, id_of
from gateway_stripe.tables import orders, reversals

if TYPE_CHECKING:
    from collections.abc import Callable

    import stripe

    from gateway.doors import CreditBook
    from gateway.store import Database
    from gateway_stripe.payments import Payments
    from gateway_stripe.subscriptions import Subscriptions

_REFUND_ENDED = frozenset({"failed", "canceled"})
_DISPUTE_HOLDS = frozenset({"needs_response", "under_review", "lost"})
"""In these the money is with the bank; warnings and prevented ones move none."""


class Reversals:
    """Follows what Stripe says of refunds and disputes now, in whichever order it is told."""

    def __init__(
        self,
        database: Database,
        client: stripe.StripeClient,
        payments: Payments,
        subscriptions: Subscriptions,
        book: Callable[[], CreditBook],
    ) -> None:
        self._database = database
        self._client = client
        self._payments = payments
        self._subscriptions = subscriptions
        self._book = book

    async def refunds_of(self, payment: str) -> None:
        """Follow all refunds of a payment. Raises `Refused`, `NotOurs`, and as `asking` and the book do."""
        order = await self._order(payment)
        with asking("refunds"):
            listed = await self._client.v1.refunds.list_async({"payment_intent": payment, "limit": 100})
            found = [refund async for refund in listed.auto_paging_iter()]
        for refund in found:
            held = refund.status not in _REFUND_ENDED
            await self._follow(order, refund.id, refund.amount, refund.currency, held=held)

    async def dispute(self, id: str) -> None:
        """Follow a dispute. Raises as `refunds_of` does."""
        with asking("dispute"):
            found = await self._client.v1.disputes.retrieve_async(id)
        payment = id_of(found.payment_intent)
        if payment is None:
            raise NotOurs("it is of no payment of ours")
        await self._disputed(await self._order(payment), found)

    async def disputes_of(self, payment: str) -> None:
        """Follow all disputes of a payment. Raises as `refunds_of` does."""
        order = await self._order(payment)
        with asking("disputes"):
            listed = await self._client.v1.disputes.list_async({"payment_intent": payment, "limit": 100})
            found = [dispute async for dispute in listed.auto_paging_iter()]
        for dispute in found:
            await self._disputed(order, dispute)

    async def _disputed(self, order: Order, found: stripe.Dispute) -> None:
        held = found.status in _DISPUTE_HOLDS
        await self._follow(order, found.id, found.amount, found.currency, held=held)

    async def _order(self, payment: str) -> Order:
        """The paid order of a payment; where its payment was not heard of yet, that comes first."""
        order = await order_of_payment(self._database, payment)
        if order is not None:
            return order
        with asking("payment"):
            found = await self._client.v1.payment_intents.retrieve_async(payment)
        made = await find_order(
            self._database, found.metadata.to_dict().get("order", "") if found.metadata else ""
        )
        if made is not None and made.session is not None:
            await self._payments.settle(made.session)
        else:
            await self._invoice(payment)
        order = await order_of_payment(self._database, payment)
        if order is None:
            raise NotOurs("it is of no payment of ours")
        return order

    async def _invoice(self, payment: str) -> None:
        """Look whether it is a plan's period that was paid."""
        by = {"type": "payment_intent", "payment_intent": payment}
        params: Any = {"payment": by, "limit": 1}
        with asking("invoice"):
            found = await self._client.v1.invoice_payments.list_async(params)
        for each in found.data:
            await self._subscriptions.paid(id_of(each.invoice) or "")

    async def _follow(self, order: Order, id: str, amount: int, currency: str, *, held: bool) -> None:
        if currency != order.currency or not order.amount:
            raise Refused(f"it is in {currency}, and its order in {order.currency}")
        status, nano = await self._note(order, id, amount, held=held)
        if status != "taken" or not nano:
            return
        reference, book = f"stripe:{id}", self._book()
        # Also before it is given back: whoever noted it may have died before taking anything.
        await book.take_back(order.tenant, nano, grant=order.reference, reference=reference, user=order.user)
        if not held:
            await book.grant(
                order.tenant, nano, kind="paid", reference=f"{reference}:returned", user=order.user
            )
            await self._returned(order, id, nano)

    async def _note(self, order: Order, id: str, amount: int, *, held: bool) -> tuple[str, int]:
        """Write a reversal down, unless it is; return its status and the credits that it takes."""
        async with self._database.begin() as connection:
            # The order's row is locked: all its reversals together never take more than it gave.
            lock = select(orders.c.reversed).where(orders.c.id == order.id).with_for_update()
            already = (await connection.execute(lock)).scalar_one()
            query = select(reversals.c.status, reversals.c.credits).where(reversals.c.id == id)
            known = (await connection.execute(query)).one_or_none()
            if known is not None:
                return known.status, known.credits
            assert order.amount is not None
            share = order.credits * min(amount, order.amount) // order.amount
            nano = min(share, order.credits - already) if held else 0
            row = {
                "id": id,
                "order": order.id,
                "tenant": order.tenant,
                "amount": amount,
                "credits": nano,
                "status": "taken" if held else "void",
                "created_at": time.time(),
            }
            await connection.execute(insert(reversals).values(row))
            total = update(orders).where(orders.c.id == order.id).values(reversed=already + nano)
            await connection.execute(total)
            after = {"order": order.id, "amount": amount, "credits": nano}
            await record(connection, STRIPE, f"stripe.{row['status']}", id, tenant=order.tenant, after=after)
            return str(row["status"]), nano

    async def _returned(self, order: Order, id: str, nano: int) -> None:
        async with self._database.begin() as connection:
            change = (
                update(reversals)
                .where(reversals.c.id == id, reversals.c.status == "taken")
                .values(status="returned")
            )
            if (await connection.execute(change)).rowcount:
                less = update(orders).where(orders.c.id == order.id)
                await connection.execute(less.values(reversed=orders.c.reversed - nano))
                after = {"order": order.id, "credits": nano}
                await record(connection, STRIPE, "stripe.returned", id, tenant=order.tenant, after=after)
