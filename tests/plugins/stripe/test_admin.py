"""Who may see and buy what; and one tenant sees nothing of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import Gateway
from gateway.errors import GatewayError
from gateway_stripe import StripeBilling

from .fake import KEY, FakeStripe
from .shop import OLD_SECRET, SECRET, WEBHOOK, Shop, open_shop, settings

READS = ("/offers", "/orders", "/orders/ord_x", "/subscriptions", "/invoices")
CHANGES = ("/orders", "/portal")


def test_permissions(shop: Shop) -> None:
    tenant = shop.tenant()
    for path in READS:
        assert shop.ask("GET", path, tenant, "billing.manage", "calls.make").status_code == 403, path
    for path in CHANGES:
        assert shop.ask("POST", path, tenant, "billing.read", json={"pack": "small"}).status_code == 403, path


def test_a_tenant_sees_its_own_alone(shop: Shop) -> None:
    mine, other = shop.tenant(), shop.tenant()
    order, session = shop.bought(mine)
    subscription = shop.stripe.pay(shop.session(shop.order(mine, plan="pro"))["id"])
    assert shop.tell("checkout.session.completed", subscription) == 200
    shop.stripe.invoice(subscription["subscription"], session["customer"], "price_pro")
    assert shop.ask("GET", f"/orders/{order['id']}", other).status_code == 404
    assert shop.ask("POST", "/portal", other).status_code == 409
    for path in ("/orders", "/subscriptions", "/invoices"):
        assert shop.ask("GET", path, other).json()["data"] == []
        assert shop.ask("GET", path, mine).json()["data"] != []


def test_a_tenant_is_one_customer(shop: Shop) -> None:
    tenant = shop.tenant()
    sessions = [shop.session(shop.order(tenant)) for _ in range(2)]
    assert len({session["customer"] for session in sessions}) == 1
    assert shop.ask("POST", "/portal", tenant).json()["url"].startswith("https://billing.stripe.com/")


def test_orders_come_in_pages_newest_first(shop: Shop) -> None:
    tenant = shop.tenant()
    made = [shop.order(tenant)["id"] for _ in range(3)]
    first = shop.ask("GET", "/orders?limit=2", tenant).json()
    second = shop.ask("GET", f"/orders?limit=2&cursor={first['next_cursor']}", tenant).json()
    assert [order["id"] for order in first["data"] + second["data"]] == made[::-1]


@pytest.mark.parametrize("body", [{}, {"pack": "huge"}, {"plan": "gold"}, {"pack": "small", "plan": "pro"}])
def test_what_is_not_on_sale_cannot_be_bought(shop: Shop, body: dict[str, str]) -> None:
    answer = shop.ask("POST", "/orders", shop.tenant(), json=body)
    assert answer.status_code in {400, 404, 422}, answer.text


def test_offers(shop: Shop) -> None:
    offers = shop.ask("GET", "/offers", shop.tenant()).json()
    assert [(p["name"], p["credits"], p["amount"]) for p in offers["packs"]] == [("small", "10", 1000)]
    assert [(p["name"], p["credits"]) for p in offers["plans"]] == [("pro", "2.5")]


def test_without_a_secret_webhooks_are_refused_and_a_wrong_key_leaks_nothing(
    stripe: FakeStripe, tmp_path: Path
) -> None:
    wrong = "sk_test_wrong_0123456789"
    with open_shop(stripe, tmp_path / "x.db", webhook_secrets=[], secret_key=wrong) as shop:
        answer = shop.client.post(WEBHOOK, content=b"{}", headers={"stripe-signature": "t=1,v1=0"})
        assert answer.status_code == 403
        assert "webhook_secrets" in answer.text
        tenant = shop.tenant()
        refused = shop.ask("POST", "/orders", tenant, json={"pack": "small"})
        assert refused.status_code == 503
        assert "sk_test" not in refused.text


async def test_packs_need_a_book_of_credits(stripe: FakeStripe, tmp_path: Path) -> None:
    config = {
        "gateway": {"database": f"sqlite:///{tmp_path / 'x.db'}"},
        "billing": {"stripe": settings(stripe.url)},
    }
    with pytest.raises(GatewayError, match=r"add \[billing.credits\]"):
        async with Gateway.from_dict(config, plugins=[StripeBilling]).lifespan():
            pass


@pytest.mark.parametrize("url", ["http://api.stripe.com", "ftp://x", "http://10.0.0.1"])
def test_the_key_travels_over_tls_alone(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        StripeBilling.Config.model_validate({"secret_key": KEY, "api_base": url})


def test_stripe_is_told_no_name_of_this_machine(shop: Shop) -> None:
    shop.order(shop.tenant())
    assert not [headers for headers in shop.stripe.headers if "x-stripe-client-user-agent" in headers]
    assert all(SECRET not in str(h) and OLD_SECRET not in str(h) for h in shop.stripe.headers)
