"""Tells the book of subscriptions how a tenant's subscription stands at Stripe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from gateway.doors import Standing, StandingStatus, SubscriptionBook
from gateway.errors import InvalidRequest
from gateway_stripe.errors import Refused

if TYPE_CHECKING:
    from gateway_stripe.config import StripeConfig
    from gateway_stripe.subscriptions import Subscription

_WORDS: Final[Mapping[str, StandingStatus]] = {
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "expired",
    "paused": "expired",
    "canceled": "cancelled",
}
"""Stripe's words; one that was never paid for (`incomplete`) is none."""
SERVED: Final = frozenset({"trialing", "active", "past_due"})


class Leading:
    """Leads subscriptions of plans that are linked to one of the book's."""

    def __init__(self, config: StripeConfig, book: Callable[[], SubscriptionBook]) -> None:
        self._plans = {name: plan.plan for name, plan in config.plans.items() if plan.plan is not None}
        self._book = book

    def check(self) -> None:
        """Raise `ConfigError` where nobody keeps subscriptions, and `InvalidRequest` for a plan that there is not."""
        for plan in self._plans.values():
            self._book().trial_days("", plan, 1)

    def trial_days(self, tenant: str, name: str, seats: int) -> int:
        """How long a tenant may try what is on sale under a name. Raises `InvalidRequest` for too many seats."""
        plan = self._plans.get(name)
        return 0 if plan is None else self._book().trial_days(tenant, plan, seats)

    async def lead(self, tenant: str, known: Sequence[Subscription]) -> None:
        """Tell of the one that counts: one that is served before others, then the latest.

        Raises `Refused` when the book does not take it, and `Unavailable`.
        """
        linked = [one for one in known if one.plan in self._plans and one.status in _WORDS]
        if not linked:
            return
        best = max(linked, key=lambda one: (one.status in SERVED, one.period_start or 0, one.id))
        standing = Standing(
            reference=f"stripe:{best.id}",
            plan=self._plans[best.plan or ""],
            seats=best.seats,
            status=_WORDS[best.status],
            period_start=int(best.period_start or 0),
            period_end=int(best.period_end or 0),
            cancel_at_end=best.ends,
            # Of all that is known: whoever knows more of them has asked later.
            told_at=max(one.seen_at for one in known),
        )
        try:
            await self._book().follow(tenant, standing)
        except InvalidRequest as error:
            raise Refused(f"its subscription is not taken: {error.message}") from error
