"""Subscriptions are as Stripe says now, and paid periods bring credits once."""

from __future__ import annotations

from typing import Any

import pytest

from .shop import Shop


def subscribed(shop: Shop, tenant: str) -> dict[str, Any]:
    """Subscribe a tenant; give the session."""
    session = shop.stripe.pay(shop.session(shop.order(tenant, plan="pro"))["id"])
    assert shop.tell("checkout.session.completed", session) == 200
    return session


def plans(shop: Shop, tenant: str) -> list[tuple[str, str]]:
    found = shop.ask("GET", "/subscriptions", tenant).json()["data"]
    return [(each["plan"], each["status"]) for each in found]


def test_a_subscription_from_checkout_to_its_end(shop: Shop) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    assert plans(shop, tenant) == [("pro", "active")]
    shop.stripe.local.delete(f"/v1/subscriptions/{session['subscription']}")
    told = {"id": session["subscription"], "status": "active"}  # an old event; what counts is what is asked
    assert shop.tell("customer.subscription.updated", told) == 200
    assert plans(shop, tenant) == [("pro", "canceled")]


def test_a_paid_period_brings_credits_once(shop: Shop) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro")
    assert [shop.tell("invoice.paid", invoice) for _ in range(3)] == [200] * 3
    assert shop.balance(tenant) == 2.5
    (shown,) = shop.ask("GET", "/invoices", tenant).json()["data"]
    assert (shown["id"], shown["status"], shown["total"]) == (invoice["id"], "paid", 2000)


def test_a_period_that_is_paid_from_the_balance_brings_credits(shop: Shop) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro", amount_paid=0)
    assert shop.tell("invoice.paid", invoice) == 200
    assert shop.balance(tenant) == 2.5


def test_lines_of_changes_and_of_what_is_free_bring_no_credits(shop: Shop) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    changed = [
        shop.stripe.line("price_pro", 900, proration=True),
        shop.stripe.line("price_pro", 0),
        shop.stripe.line("price_of_something_else", 1100),
    ]
    lines = {"object": "list", "data": changed, "has_more": False}
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro", lines=lines)
    assert shop.tell("invoice.paid", invoice) == 200
    assert shop.balance(tenant) == 0


@pytest.mark.parametrize("first", ["invoice.paid", "charge.refunded"])
def test_a_refund_of_a_period_takes_its_credits_back(shop: Shop, first: str) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    payment = shop.stripe.charge(session["customer"], 2000, "usd", {})
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro", payment=payment)
    shop.stripe.refund(payment, 800)
    events: dict[str, Any] = {
        "invoice.paid": invoice,
        "charge.refunded": {"id": "ch_x", "payment_intent": payment},
    }
    for each in (first, *events):
        assert shop.tell(each, events[each]) == 200
    assert shop.balance(tenant) == 1.5


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "open"},
        {"amount_paid": 0, "total": 0},
        {"amount_paid": 0, "total": -500},
        {"billing_reason": "subscription_update"},
        {"customer": "cus_of_somebody_else"},
        {"lines": {"object": "list", "data": [], "has_more": False}},
        {"parent": None},
    ],
)
def test_an_invoice_that_is_no_paid_period_brings_nothing(shop: Shop, changes: dict[str, Any]) -> None:
    tenant = shop.tenant()
    session = subscribed(shop, tenant)
    invoice = shop.stripe.invoice(session["subscription"], session["customer"], "price_pro", **changes)
    assert shop.tell("invoice.paid", invoice) == 200
    assert shop.balance(tenant) == 0
