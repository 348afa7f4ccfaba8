"""What is paid at Stripe is the plan that a tenant has, whatever is told first, twice, late, or by strangers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator
from typing import Any

import pytest

from gateway.errors import InvalidRequest, PluginError
from gateway.store.audit import Actor
from gateway.store.tenants import create_tenant
from gateway_subscription.rows import cancel

from .fake import FakeStripe
from .shop import SECRET, Shop, open_shop

DAY = 86_400
ACTOR = Actor(kind="command", id="test")
PLANS = {
    "basic": {"name": "Basic", "price": "20", "included": "10", "grace_days": 7},
    "team": {"name": "Team", "price": "50", "included": "40", "trial_days": 14, "most_seats": 5},
}
SOLD = {"basic": {"price": "price_pro", "plan": "basic"}, "team": {"price": "price_team", "plan": "team"}}
SUBSCRIPTION = {"plans": PLANS}


@pytest.fixture(scope="module")
def shop(stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    stripe.price("price_team", 5000)
    path = tmp_path_factory.mktemp("leading") / "gateway.db"
    with open_shop(stripe, path, subscription=SUBSCRIPTION, plans=SOLD) as shop:
        yield shop


def newcomer(shop: Shop) -> str:
    tenant = shop.tenant()

    async def work() -> None:
        await create_tenant(shop.office.database, tenant, actor=ACTOR)

    shop.run(work)
    return tenant


def subscribed(shop: Shop, tenant: str, plan: str = "basic", seats: int = 1) -> dict[str, Any]:
    """Subscribe and pay; give the subscription's id and customer. Nothing is told yet."""
    session = shop.stripe.pay(shop.session(shop.order(tenant, plan=plan, seats=seats))["id"])
    return {"id": session["subscription"], "customer": session["customer"], "session": session}


def held(shop: Shop, tenant: str) -> dict[str, Any]:
    """The tenant's subscription in our own book."""
    headers = {"authorization": f"Test {tenant} usr_x billing.read billing.manage"}
    answer = shop.client.get("/admin/api/subscription", headers=headers)
    return answer.json()


def told(shop: Shop, about: dict[str, Any], *types: str) -> None:
    events = {
        "checkout": ("checkout.session.completed", about["session"]),
        "created": ("customer.subscription.created", {"id": about["id"]}),
        "updated": ("customer.subscription.updated", {"id": about["id"]}),
        "paid": ("invoice.paid", about.get("invoice", {"id": "in_x"})),
    }
    for each in types:
        assert shop.tell(*events[each]) == 200


def test_a_paid_checkout_sets_the_plan_in_whatever_order_it_is_told(shop: Shop) -> None:
    for order in itertools.permutations(("checkout", "updated", "paid")):
        tenant = newcomer(shop)
        about = subscribed(shop, tenant, seats=3)
        about["invoice"] = shop.stripe.invoice(about["id"], about["customer"], "price_pro")
        told(shop, about, *order, *order)
        found = held(shop, tenant)
        assert (found["plan"], found["seats"], found["status"], found["included"]) == (
            "basic",
            3,
            "active",
            "30",
        )
        assert found["reference"] == f"stripe:{about['id']}"


def test_a_failed_payment_begins_the_days_of_grace_and_a_payment_ends_them(shop: Shop) -> None:
    tenant = newcomer(shop)
    about = subscribed(shop, tenant)
    told(shop, about, "checkout")
    shop.stripe.changes[about["id"]] = {"status": "past_due"}
    due = shop.stripe.invoice(about["id"], about["customer"], "price_pro", status="open", amount_paid=0)
    assert shop.tell("invoice.payment_failed", due) == 200
    first = held(shop, tenant)
    assert first["status"] == "past_due"
    told(shop, about, "updated")
    assert held(shop, tenant)["grace_until"] == first["grace_until"]  # asking again does not begin it anew
    shop.stripe.changes[about["id"]] = {"status": "active"}
    told(shop, about, "updated")
    assert (held(shop, tenant)["status"], held(shop, tenant)["grace_until"]) == ("active", None)
    shop.stripe.changes[about["id"]] = {"status": "unpaid"}
    told(shop, about, "updated")
    assert held(shop, tenant)["status"] == "expired"


def test_plan_and_seats_change_and_it_ends_through_the_admin_api(shop: Shop) -> None:
    tenant = newcomer(shop)
    about = subscribed(shop, tenant)
    told(shop, about, "checkout")
    assert shop.ask("POST", "/subscription", tenant, json={"plan": "team", "seats": 2}).is_success
    found = held(shop, tenant)
    assert (found["plan"], found["seats"]) == ("team", 2)
    assert 79.9 < float(found["included"]) <= 80  # the rest of a period that has just begun
    assert shop.ask("POST", "/subscription", tenant, json={"seats": 6}).status_code == 400
    assert shop.ask("POST", "/subscription", tenant, json={"plan": "gold"}).status_code == 404
    assert shop.ask("POST", "/subscription", tenant, json={"ends": True}).json()["ends"] is True
    assert held(shop, tenant)["cancel_at_end"] is True
    book: Any = shop.office.subscription_book()
    with pytest.raises(InvalidRequest, match="change it there"):
        shop.run(lambda: cancel(shop.office.database, book.plans, tenant, actor=ACTOR))
    assert shop.ask("POST", "/subscription", newcomer(shop), json={"ends": True}).status_code == 404


def test_the_next_period_begins_when_it_is_told(shop: Shop) -> None:
    tenant = newcomer(shop)
    about = subscribed(shop, tenant)
    told(shop, about, "checkout")
    start = int(time.time()) + 30 * DAY
    shop.stripe.changes[about["id"]] = {"current_period_start": start, "current_period_end": start + 30 * DAY}
    told(shop, about, "updated", "updated")
    found = held(shop, tenant)
    assert found["included"] == "10"
    headers = {"authorization": f"Test {tenant} usr_x billing.read"}
    charges = shop.client.get("/admin/api/subscription/charges", headers=headers).json()["data"]
    assert [(charge["kind"], charge["amount"]) for charge in charges] == [("period", "0"), ("period", "0")]


def test_a_cancelled_one_gives_way_to_another(shop: Shop) -> None:
    tenant = newcomer(shop)
    first = subscribed(shop, tenant)
    told(shop, first, "checkout")
    assert shop.ask("POST", "/orders", tenant, json={"plan": "team"}).status_code == 409
    shop.stripe.changes[first["id"]] = {"status": "canceled"}
    told(shop, first, "updated")
    assert held(shop, tenant)["status"] == "cancelled"
    second = subscribed(shop, tenant, "team")
    told(shop, second, "checkout")
    told(shop, first, "updated")  # late news of the first
    assert (held(shop, tenant)["plan"], held(shop, tenant)["status"]) == ("team", "active")


def test_only_a_newcomer_is_offered_the_trial(shop: Shop) -> None:
    tenant = newcomer(shop)
    about = subscribed(shop, tenant, "team")
    assert about["session"]["subscription_data"]["trial_period_days"] == "14"
    shop.stripe.changes[about["id"]] = {"status": "trialing"}
    told(shop, about, "checkout")
    assert held(shop, tenant)["status"] == "trialing"
    assert shop.ask("POST", "/orders", newcomer(shop), json={"plan": "team", "seats": 6}).status_code == 400


def test_forged_and_strangers_events_change_nothing(shop: Shop) -> None:
    tenant = newcomer(shop)
    about = subscribed(shop, tenant)
    event = shop.stripe.event("customer.subscription.updated", {"id": about["id"]})
    assert shop.send(event, secret="whsec_fake_forged").status_code == 400
    assert shop.send(event, at=time.time() - 4000).status_code == 400
    assert shop.send({**event, "account": "acct_other"}, secret=SECRET).status_code == 200
    assert shop.send({**event, "id": "evt_live", "livemode": True}, secret=SECRET).status_code == 200
    assert held(shop, tenant).get("plan") is None
    stranger = shop.stripe.local.post("/v1/customers", data={"name": "Stranger"}).json()["id"]
    shop.stripe.changes[about["id"]] = {"customer": stranger}
    told(shop, about, "checkout", "updated")
    assert held(shop, tenant).get("plan") is None


def test_a_link_to_no_plan_is_told_at_the_start(stripe: FakeStripe, tmp_path: Any) -> None:
    sold = {"basic": {"price": "price_pro", "plan": "gold"}}
    for subscription, words in ((None, "no plugin keeps plans"), (SUBSCRIPTION, "no plan 'gold'")):
        with (
            pytest.raises(PluginError, match=words),
            open_shop(stripe, tmp_path / "gateway.db", subscription=subscription, plans=sold),
        ):
            pass
