"""Refunds and disputes take credits back; those that fail, or are won, give them back. Each counts once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from gateway.store.audit import record
from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.orders import STRIPE, Order, find_order, order_of_payment
from gateway_stripe.sender import asking, id_of
from gateway_stripe.tables import orders, reversals

if TYPE_CHECKING:
    from collections.abc import Callable

    import stripe
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.doors import CreditBook
    from gateway.store import Database
    from gateway_stripe.payments import Payments
    from gateway_stripe.subscriptions import Subscriptions

_REFUND_ENDED: Final = frozenset({"failed", "canceled"})
_DISPUTE_HOLDS: Final = frozenset({"needs_response", "under_review", "lost"})
"""In these the money is with the bank; warnings and prevented ones move none."""
_DISPUTE_ASKS: Final = frozenset({"warning_needs_response", "warning_under_review"})
"""In these a bank only inquires: it may take the money still, under the same dispute."""


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
        if found.status in _DISPUTE_ASKS:
            return
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
        reference, book = f"stripe:{id}", self._book()
        if status == "taken":
            # Also before it is given back: whoever noted it may have died before taking anything.
            if nano:
                await book.take_back(
                    order.tenant, nano, grant=order.reference, reference=reference, user=order.user
                )
            if held:
                return
            nano = await self._end(order, id)
        if status != "void" and nano:
            await book.grant(
                order.tenant, nano, kind="paid", reference=f"{reference}:returned", user=order.user
            )

    async def _note(self, order: Order, id: str, amount: int, *, held: bool) -> tuple[str, int]:
        """Write a reversal down, unless it is; return its status and the credits that it takes, or gave back."""
        async with self._database.begin() as connection:
            already = await _reversed(connection, order)
            query = select(reversals.c.status, reversals.c.credits).where(reversals.c.id == id)
            known = (await connection.execute(query)).one_or_none()
            if known is not None:
                return known.status, known.credits
            nano = min(_share(order, amount), order.credits - already) if held else 0
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

    async def _end(self, order: Order, id: str) -> int:
        """Note that a reversal takes no more; return the credits to give back: what the others do not take now."""
        async with self._database.begin() as connection:
            already = await _reversed(connection, order)
            query = select(reversals.c.id, reversals.c.amount, reversals.c.status, reversals.c.credits)
            rows = (await connection.execute(query.where(reversals.c.order == order.id))).all()
            own = next(row for row in rows if row.id == id)
            if own.status != "taken":
                return int(own.credits)
            others = sum(_share(order, row.amount) for row in rows if row.status == "taken" and row.id != id)
            left = min(others, order.credits)
            nano = already - left
            ended = update(reversals).where(reversals.c.id == id).values(status="returned", credits=nano)
            await connection.execute(ended)
            await connection.execute(update(orders).where(orders.c.id == order.id).values(reversed=left))
            after = {"order": order.id, "credits": nano}
            await record(connection, STRIPE, "stripe.returned", id, tenant=order.tenant, after=after)
            return nano


async def _reversed(connection: AsyncConnection, order: Order) -> int:
    """Lock an order, as all its reversals together never take more than it gave; return what they take."""
    lock = select(orders.c.reversed).where(orders.c.id == order.id).with_for_update()
    return (await connection.execute(lock)).scalar_one()


def _share(order: Order, amount: int) -> int:
    """The credits that were bought for an amount of an order."""
    assert order.amount is not None
    return order.credits * min(amount, order.amount) // order.amount
