"""Refunds and disputes take credits back, once, in whichever order they are told."""

from __future__ import annotations

from typing import Any

import pytest

from .shop import Shop


def test_refunds_take_credits_back_in_proportion(shop: Shop) -> None:
    tenant = shop.tenant()
    order, session = shop.bought(tenant)
    payment = session["payment_intent"]
    shop.stripe.refund(payment, 250)
    told = {"id": "ch_x", "object": "charge", "payment_intent": payment}
    assert [shop.tell("charge.refunded", told) for _ in range(2)] == [200, 200]
    assert shop.balance(tenant) == 7.5
    refund = shop.stripe.refund(payment, 750)
    assert shop.tell("refund.created", {"id": refund, "payment_intent": payment}) == 200
    assert shop.tell("charge.refunded", told) == 200
    assert shop.balance(tenant) == 0
    shown = shop.ask("GET", f"/orders/{order['id']}", tenant).json()
    assert (shown["credits_taken_back"], shown["status"]) == ("10", "paid")


def test_a_refund_that_is_told_before_the_payment(shop: Shop) -> None:
    tenant = shop.tenant()
    order = shop.order(tenant)
    session = shop.stripe.pay(shop.session(order)["id"])
    shop.stripe.refund(session["payment_intent"], 400)
    assert shop.tell("charge.refunded", {"id": "ch_x", "payment_intent": session["payment_intent"]}) == 200
    assert shop.balance(tenant) == 6
    assert shop.tell("checkout.session.completed", session) == 200
    assert shop.balance(tenant) == 6


ORDERS = (
    ("refunded", "paid", "disputed"),
    ("disputed", "refunded", "paid"),
    ("paid", "disputed", "refunded"),
)
STEPS = ("charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed")


@pytest.mark.parametrize("ending", ["won", "lost"])
def test_a_dispute_from_beginning_to_end(shop: Shop, ending: str) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    dispute = shop.stripe.dispute(session["payment_intent"], 1000)
    assert shop.tell("charge.dispute.created", dispute) == 200
    assert shop.balance(tenant) == 0
    dispute["status"] = ending
    for step in reversed(STEPS):
        assert shop.tell(step, dispute) == 200
    assert shop.balance(tenant) == (10 if ending == "won" else 0)


def test_a_dispute_that_is_won_before_it_was_heard_of(shop: Shop) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    dispute = shop.stripe.dispute(session["payment_intent"], 1000)
    dispute["status"] = "won"
    for step in reversed(STEPS):
        assert shop.tell(step, dispute) == 200
    assert shop.balance(tenant) == 10


def test_reversals_never_take_more_than_the_order_gave(shop: Shop) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    shop.stripe.refund(session["payment_intent"], 600)
    assert shop.tell("charge.refunded", {"id": "ch_x", "payment_intent": session["payment_intent"]}) == 200
    dispute = shop.stripe.dispute(session["payment_intent"], 1000)
    assert shop.tell("charge.dispute.created", dispute) == 200
    assert shop.balance(tenant) == 0
    dispute["status"] = "won"
    assert shop.tell("charge.dispute.closed", dispute) == 200
    assert shop.balance(tenant) == 4


def test_an_inquiry_takes_nothing_until_the_bank_takes_the_money(shop: Shop) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    dispute = shop.stripe.dispute(session["payment_intent"], 1000)
    for asks in ("warning_needs_response", "warning_under_review"):
        dispute["status"] = asks
        assert shop.tell("charge.dispute.created", dispute) == 200
        assert shop.balance(tenant) == 10
    dispute["status"] = "needs_response"
    assert shop.tell("charge.dispute.funds_withdrawn", dispute) == 200
    assert shop.balance(tenant) == 0


def test_a_won_dispute_gives_back_nothing_that_was_refunded_meanwhile(shop: Shop) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    payment = session["payment_intent"]
    dispute = shop.stripe.dispute(payment, 1000)
    assert shop.tell("charge.dispute.created", dispute) == 200
    shop.stripe.refund(payment, 400)
    assert shop.tell("charge.refunded", {"id": "ch_x", "payment_intent": payment}) == 200
    assert shop.balance(tenant) == 0
    dispute["status"] = "won"
    for _ in range(2):
        assert shop.tell("charge.dispute.closed", dispute) == 200
        assert shop.balance(tenant) == 6


def test_a_reversal_in_another_currency_or_of_no_order_takes_nothing(shop: Shop) -> None:
    tenant = shop.tenant()
    _, session = shop.bought(tenant)
    other = shop.stripe.dispute(session["payment_intent"], 1000, currency="jpy")
    assert shop.tell("charge.dispute.created", other) == 200
    foreign = shop.stripe.dispute("pi_of_another_account", 1000)
    assert shop.tell("charge.dispute.created", foreign) == 200
    assert shop.balance(tenant) == 10


def test_whatever_is_told_first_the_end_is_the_same(shop: Shop) -> None:
    for told in ORDERS:
        tenant = shop.tenant()
        session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
        payment = session["payment_intent"]
        shop.stripe.refund(payment, 100)
        dispute = shop.stripe.dispute(payment, 500)
        events: dict[str, tuple[str, Any]] = {
            "paid": ("checkout.session.completed", session),
            "refunded": ("charge.refunded", {"id": "ch_x", "payment_intent": payment}),
            "disputed": ("charge.dispute.created", dispute),
        }
        for name in told:
            assert shop.tell(*events[name]) == 200
        assert shop.balance(tenant) == 4, told
