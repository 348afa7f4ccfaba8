"""What Stripe has been paid becomes credits: of the order, for whoever made it, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.orders import Order, end_order, find_order
from gateway_stripe.sender import asking, id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import stripe
    from stripe.checkout import Session

    from gateway.doors import CreditBook
    from gateway.store import Database
    from gateway_stripe.subscriptions import Subscriptions


class Payments:
    """Settles orders by what Stripe says of their checkout sessions now, whatever was told before."""

    def __init__(
        self,
        database: Database,
        client: stripe.StripeClient,
        subscriptions: Subscriptions,
        book: Callable[[], CreditBook],
    ) -> None:
        self._database = database
        self._client = client
        self._subscriptions = subscriptions
        self._book = book

    async def settle(self, session_id: str) -> None:
        """Bring the order of a checkout session up to date.

        Raises `Refused` when session and order do not fit, `NotOurs` without an order, and as `asking` and the book of credits do.
        """
        with asking("checkout session"):
            session = await self._client.v1.checkout.sessions.retrieve_async(session_id)
        order = await find_order(self._database, session.client_reference_id or "")
        if order is None:
            raise NotOurs("it is of no order of ours")
        try:
            await self._settle(order, session)
        except Refused as refused:
            await end_order(self._database, order, "refused", problem=str(refused))
            raise

    async def _settle(self, order: Order, session: Session) -> None:
        _check(order, session)
        if session.status == "expired":
            await end_order(self._database, order, "expired")
        elif session.status == "complete" and order.kind == "plan":
            subscription = id_of(session.subscription)
            if subscription is None:
                raise Refused("it has no subscription")
            whose = await self._subscriptions.refresh(subscription)
            if whose.customer != order.customer:
                raise Refused("its subscription is another customer's")
            await end_order(self._database, order, "paid")
        elif session.status == "complete" and session.payment_status == "paid":
            await self._credit(order, session)

    async def _credit(self, order: Order, session: Session) -> None:
        payment = id_of(session.payment_intent)
        if payment is None:
            raise Refused("it has no payment")
        # First the credits, then the note that they were given: when we die in between, it is done again, and once.
        await self._book().grant(
            order.tenant, order.credits, kind="paid", reference=order.reference, user=order.user
        )
        await end_order(self._database, order, "paid", payment=payment)


def _check(order: Order, session: Session) -> None:
    """Compare what was ordered with what is paid for. Raises `Refused`, naming the first difference."""
    if order.session not in {None, session.id}:
        raise Refused("its order has another session")
    if id_of(session.customer) != order.customer:
        raise Refused("it is paid by another customer")
    if session.mode != ("payment" if order.kind == "pack" else "subscription"):
        raise Refused(f"it is of the mode {session.mode}")
    if order.kind == "plan":
        return
    if session.currency != order.currency:
        raise Refused(f"it is paid in {session.currency}, and was ordered in {order.currency}")
    details = session.total_details
    taxes = details.amount_tax if details is not None else 0
    paid = (session.amount_total or 0) - taxes
    if paid != order.amount:
        raise Refused(f"{paid} are paid, and {order.amount} were ordered")
