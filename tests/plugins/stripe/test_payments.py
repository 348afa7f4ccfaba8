"""A pack that is paid is credited once, to who ordered it, whatever is told and in which order."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .fake import FakeStripe
from .shop import SECRET, WEBHOOK, Shop


def test_a_pack_that_is_paid_is_credited(shop: Shop) -> None:
    tenant = shop.tenant()
    order = shop.order(tenant)
    assert order["status"] == "open"
    assert order["url"].startswith("https://checkout.stripe.com/")
    assert (order["credits"], order["amount"], order["currency"]) == ("10", 1000, "usd")
    session = shop.session(order)
    assert shop.tell("checkout.session.completed", session) == 200  # not paid yet: its payment is under way
    assert shop.balance(tenant) == 0
    shop.stripe.pay(session["id"])
    assert shop.tell("checkout.session.async_payment_succeeded", session) == 200
    assert shop.balance(tenant) == 10
    assert shop.status(tenant, order) == "paid"


def test_an_event_counts_once(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    event = shop.stripe.event("checkout.session.completed", session)
    assert [shop.send(event).status_code for _ in range(3)] == [200, 200, 200]
    assert shop.tell("checkout.session.completed", session) == 200  # another event that tells the same
    assert shop.balance(tenant) == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_total": 1},
        {"amount_total": 100_000},
        {"currency": "jpy"},
        {"customer": "cus_of_somebody_else"},
        {"mode": "subscription"},
        {"payment_intent": None},
    ],
)
def test_what_is_paid_must_be_what_was_ordered(shop: Shop, changes: dict[str, Any]) -> None:
    tenant = shop.tenant()
    order = shop.order(tenant)
    session = shop.stripe.pay(shop.session(order)["id"], **changes)
    assert shop.tell("checkout.session.completed", session) == 200  # sending it again would change nothing
    assert shop.balance(tenant) == 0
    assert shop.status(tenant, order) == "refused"


def test_a_session_pays_for_its_own_order_alone(shop: Shop) -> None:
    buyer, thief = shop.tenant(), shop.tenant()
    session, other = shop.session(shop.order(buyer)), shop.order(thief)
    shop.stripe.pay(session["id"], client_reference_id=other["id"])
    assert shop.tell("checkout.session.completed", session) == 200
    assert (shop.balance(buyer), shop.balance(thief)) == (0, 0)


def test_what_an_event_says_itself_is_not_believed(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.session(shop.order(tenant))
    told = {**session, "status": "complete", "payment_status": "paid", "payment_intent": "pi_none"}
    assert shop.tell("checkout.session.completed", told) == 200
    assert shop.balance(tenant) == 0


def test_an_event_of_another_account_or_mode_credits_nothing(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    assert shop.tell("checkout.session.completed", session, account="acct_other") == 200
    assert shop.tell("checkout.session.completed", session, livemode=True) == 200
    assert shop.tell("checkout.session.completed", {"id": "cs_of_another_account"}) == 200
    assert shop.balance(tenant) == 0


def test_forged_old_and_unsigned_events_are_refused(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    event, now = shop.stripe.event("checkout.session.completed", session), time.time()
    assert shop.send(event, secret="whsec_guessed").status_code == 400
    assert shop.send(event, at=now - 1000).status_code == 400
    assert shop.send(event, at=now + 1000).status_code == 400
    for signature in ("", "t=,v1=", "t=1,v1=é", "nonsense", f"t={int(now)}"):
        headers = {b"stripe-signature": signature.encode()}
        assert shop.client.post(WEBHOOK, content=json.dumps(event), headers=headers).status_code == 400
    assert shop.client.post(WEBHOOK, content=json.dumps(event)).status_code == 400
    assert shop.balance(tenant) == 0


def test_either_secret_is_good_while_one_replaces_the_other(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    event = shop.stripe.event("checkout.session.completed", session)
    answer = shop.send(event, secret="whsec_fake_old")
    assert answer.status_code == 200
    assert shop.balance(tenant) == 10


def test_what_is_signed_and_no_event_is_refused(shop: Shop) -> None:
    assert shop.send({"object": "nonsense"}).status_code == 400
    answer = shop.client.post(WEBHOOK, content=b"\xff", headers={"stripe-signature": "t=1,v1=00"})
    assert answer.status_code == 400
    assert SECRET not in answer.text


def test_an_order_that_expired_can_be_paid_no_more_and_a_paid_one_does_not_expire(shop: Shop) -> None:
    tenant = shop.tenant()
    order = shop.order(tenant)
    session = shop.session(order)
    session["status"] = "expired"
    assert shop.tell("checkout.session.expired", session) == 200
    assert shop.status(tenant, order) == "expired"
    paid, its = shop.bought(tenant)
    assert shop.tell("checkout.session.expired", its) == 200
    assert shop.status(tenant, paid) == "paid"


def test_sales_of_others_in_the_same_account_are_not_ours(shop: Shop) -> None:
    foreign = shop.stripe._new("cs_test_", object="checkout.session", client_reference_id=None)
    assert shop.tell("checkout.session.completed", foreign) == 200
    assert shop.tell("charge.refunded", {"id": "ch_1", "payment_intent": None}) == 200
    assert shop.tell("product.created", {"id": "prod_1"}) == 200


def test_a_webhook_while_stripe_is_away_comes_again(shop: Shop, stripe: FakeStripe) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    event = shop.stripe.event("checkout.session.completed", session)
    sender: Any = shop.office.client._requestor._client
    good, sender._client = sender._client, lambda: (_ for _ in ()).throw(_away())
    try:
        assert shop.send(event).status_code == 503
    finally:
        sender._client = good
    assert shop.send(event).status_code == 200
    assert shop.balance(tenant) == 10


def _away() -> Exception:
    from stripe import APIConnectionError

    return APIConnectionError("no way", should_retry=False)
