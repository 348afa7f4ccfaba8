"""Where people pay, and where they manage what they pay for: pages of Stripe's, made for one order or customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from gateway.errors import InvalidRequest
from gateway_stripe.config import nano_of, shown
from gateway_stripe.customers import customer_of, ensure_customer
from gateway_stripe.orders import Order, add_order, end_order, new_order, place
from gateway_stripe.sender import NotAtStripe, asking

if TYPE_CHECKING:
    import stripe

    from gateway.store import Database
    from gateway.store.audit import Actor
    from gateway_stripe.config import StripeConfig
    from gateway_stripe.leading import Leading
    from gateway_stripe.subscriptions import Subscriptions


class Till:
    """Opens pages at Stripe."""

    def __init__(
        self,
        config: StripeConfig,
        database: Database,
        client: stripe.StripeClient,
        leading: Leading,
        subscriptions: Subscriptions,
        *,
        public_url: str,
    ) -> None:
        self._leading = leading
        self._subscriptions = subscriptions
        self._config = config
        self._database = database
        self._client = client
        self._place = public_url
        self._back = config.return_url or public_url

    async def buy_pack(self, tenant: str, user: str | None, name: str, *, actor: Actor) -> Order:
        """Order a pack; the order's `url` is where it is paid. Raises `InvalidRequest`, and as `asking` does."""
        pack = self._config.packs.get(name)
        if pack is None:
            raise _unknown("pack", name, self._config.packs)
        title = pack.title or f"{shown(nano_of(pack.credits))} credits"
        order = new_order(
            tenant=tenant,
            user=user,
            kind="pack",
            item=name,
            credits=nano_of(pack.credits),
            amount=pack.amount,
            currency=pack.currency,
            price=None,
            customer=await self._customer(tenant, actor),
        )
        item = {
            "quantity": 1,
            "price_data": {
                "currency": pack.currency,
                "unit_amount": pack.amount,
                "product_data": {"name": title},
            },
        }
        more = {"payment_intent_data": {"metadata": _marks(order)}}
        return await self._open(order, {"mode": "payment", "line_items": [item], **more}, actor)

    async def buy_plan(
        self, tenant: str, user: str | None, name: str, *, seats: int = 1, actor: Actor
    ) -> Order:
        """Order a subscription, as `buy_pack`; 409 where there is one already. A trial is that of the linked plan."""
        plan = self._config.plans.get(name)
        if plan is None:
            raise _unknown("plan", name, self._config.plans)
        trial = self._leading.trial_days(tenant, name, seats)
        if plan.plan is not None and await self._subscriptions.served(tenant) is not None:
            raise InvalidRequest(
                "There is a subscription already: change that one, here or in the customer portal.",
                status=409,
                code="conflict",
            )
        order = new_order(
            tenant=tenant,
            user=user,
            kind="plan",
            item=name,
            credits=0,
            amount=None,
            currency=None,
            price=plan.price,
            customer=await self._customer(tenant, actor),
        )
        item = {"quantity": seats, "price": plan.price}
        data: dict[str, Any] = {"metadata": _marks(order)}
        if trial:
            data["trial_period_days"] = trial
        more = {"subscription_data": data}
        return await self._open(order, {"mode": "subscription", "line_items": [item], **more}, actor)

    async def portal(self, tenant: str) -> str:
        """A link to the customer portal, good for a short time. Raises `InvalidRequest`, and as `asking` does."""
        customer = await customer_of(self._database, tenant)
        if customer is None:
            raise InvalidRequest(
                "There is nothing to manage before the first purchase.", status=409, code="no_customer"
            )
        with asking("customer portal"):
            session = await self._client.v1.billing_portal.sessions.create_async(
                {"customer": customer, "return_url": self._back}
            )
        return session.url

    async def _customer(self, tenant: str, actor: Actor) -> str:
        return await ensure_customer(self._database, self._client, tenant, place=self._place, actor=actor)

    async def _open(self, order: Order, what: dict[str, Any], actor: Actor) -> Order:
        params: Any = {
            **what,
            "customer": order.customer,
            "client_reference_id": order.id,
            "metadata": _marks(order),
            "success_url": self._back,
            "cancel_url": self._back,
        }
        await add_order(self._database, order, actor=actor)
        try:
            with asking("checkout page"):
                session = await self._client.v1.checkout.sessions.create_async(
                    params, {"idempotency_key": order.id}
                )
        except NotAtStripe:
            problem = "Stripe does not know what is sold here, or the customer."
            await end_order(self._database, order, "failed", problem=problem)
            raise InvalidRequest(f"{problem} Tell the operator.", status=409, code="not_at_stripe") from None
        assert session.url is not None  # as of every session that Stripe's own page shows
        await place(self._database, order, session.id, session.url)
        return replace(order, session=session.id, url=session.url)


def _marks(order: Order) -> dict[str, str]:
    return {"order": order.id, "tenant": order.tenant}


def _unknown(what: str, name: str, known: Any) -> InvalidRequest:
    names = ", ".join(known) or "none"
    return InvalidRequest(
        f"There is no {what} {name!r}. On sale: {names}.", status=404, code="not_found", param=what
    )
