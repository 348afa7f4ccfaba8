"""What Stripe was paid and what was given for it are compared, without changing either."""

from __future__ import annotations

import time
from typing import Any

from gateway_stripe.comparing import Comparison

from .shop import Shop
from .test_subscriptions import subscribed


def found(shop: Shop, tenant: str) -> list[tuple[str, str]]:
    async def work() -> Any:
        return await Comparison(shop.office).compare(0.0, time.time() + 60)

    return [(one.object, one.problem) for one in shop.run(work) if one.tenant == tenant]


def test_what_is_right_is_not_told(shop: Shop) -> None:
    tenant = shop.tenant()
    shop.bought(tenant)
    session = subscribed(shop, tenant)
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro")
    assert shop.tell("invoice.paid", invoice) == 200
    assert found(shop, tenant) == []


def test_a_paid_period_without_credits_and_an_old_status_are_told(shop: Shop) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro")
    shop.stripe.changes[session["subscription"]] = {"status": "past_due"}
    told = found(shop, tenant)
    assert [name for name, _ in told] == [invoice["id"], session["subscription"]]
    assert "its credits were not given" in told[0][1]
    assert "it is past_due at Stripe, and active here" in told[1][1]
    assert found(shop, tenant) == told  # looking has changed nothing
