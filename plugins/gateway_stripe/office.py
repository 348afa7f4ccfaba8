"""The parts of the plugin, put together; and what looks after all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigError, InvalidRequest
from gateway_stripe.checkout import Till
from gateway_stripe.events import Events
from gateway_stripe.leading import Leading
from gateway_stripe.meter import Sending
from gateway_stripe.metering import Metering
from gateway_stripe.payments import Payments
from gateway_stripe.reversals import Reversals
from gateway_stripe.sender import NotAtStripe, asking, connect
from gateway_stripe.subscriptions import Subscriptions

if TYPE_CHECKING:
    from gateway.doors import CreditBook, SubscriptionBook
    from gateway.plugin import Context
    from gateway_stripe.config import StripeConfig

_LIVE: Final = ("sk_live_", "rk_live_")


class Office:
    """Holds the parts. Nothing is sent by making it."""

    def __init__(self, name: str, config: StripeConfig, context: Context) -> None:
        self.config = config
        self.context = context
        self.database = context.database
        self.client = connect(config, lambda: context.client)
        public_url = context.sessions.rules.public_url
        self.leading = Leading(config, self.subscription_book)
        self.subscriptions = Subscriptions(config, self.database, self.client, self.book, self.leading)
        self.till = Till(
            config, self.database, self.client, self.leading, self.subscriptions, public_url=public_url
        )
        self.payments = Payments(self.database, self.client, self.subscriptions, self.book)
        self.reversals = Reversals(self.database, self.client, self.payments, self.subscriptions, self.book)
        live = config.secret_key.reveal().startswith(_LIVE)
        self.events = Events(self.database, self.payments, self.reversals, self.subscriptions, live=live)
        self.sending: Sending | None = None
        self.metering: Metering | None = None
        if config.meter is not None:
            self.sending = Sending(config.meter, self.database, self.client)
            self.metering = Metering(name, config.meter, self.database, self.sending)

    def book(self) -> CreditBook:
        """Who keeps the credits. Raises `ConfigError` when nobody does."""
        if self.context.credits is None:
            raise ConfigError(
                [
                    "billing.stripe: sells credits, and no plugin keeps them: add [billing.credits] to the config"
                ]
            )
        return self.context.credits

    def subscription_book(self) -> SubscriptionBook:
        """Who keeps the subscriptions. Raises `ConfigError` when nobody does."""
        if self.context.subscriptions is None:
            raise ConfigError(
                [
                    "billing.stripe: its plans are linked, and no plugin keeps plans: add [billing.subscription]"
                ]
            )
        return self.context.subscriptions

    def require_book(self) -> None:
        """Raise `ConfigError` when credits or plans are sold and nobody keeps them."""
        try:
            self.leading.check()
        except InvalidRequest as error:
            raise ConfigError([f"billing.stripe: {error.message}"]) from error
        if self.config.packs or any(plan.credits for plan in self.config.plans.values()):
            self.book()

    async def check(self) -> None:
        """Ask Stripe for the prices of all plans, and else for one customer. Raises as `asking` does."""
        with asking("customers"):
            await self.client.v1.customers.list_async({"limit": 1})
        problems: list[str] = []
        for name, plan in self.config.plans.items():
            try:
                with asking("price"):
                    await self.client.v1.prices.retrieve_async(plan.price)
            except NotAtStripe:
                problems.append(
                    f"billing.stripe: the price {plan.price} of the plan {name!r} is not in this account"
                )
        if problems:
            raise ConfigError(problems)
