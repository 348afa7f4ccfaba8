"""What webhooks did not tell is found out by asking, and by the commands."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import insert

from gateway.store.tables import model_calls
from gateway_stripe import sync as work
from gateway_stripe.commands import commands
from gateway_stripe.office import Office

from .fake import FakeStripe
from .shop import Shop, open_shop


@pytest.fixture(scope="module")
def shop(stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    """One of its own: catching up looks at all that there is."""
    with open_shop(stripe, tmp_path_factory.mktemp("shop") / "gateway.db") as shop:
        yield shop


def caught_up(shop: Shop, **how: Any) -> work.Report:
    return shop.run(lambda: work.sync(shop.office, days=30, **how))


def test_sync_finds_what_no_webhook_told(shop: Shop) -> None:
    tenant, other = shop.tenant(), shop.tenant()
    paid = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    shop.stripe.refund(paid["payment_intent"], 100)
    shop.stripe.dispute(paid["payment_intent"], 200)
    shop.stripe.pay(shop.session(shop.order(other, plan="pro"))["id"])
    report = caught_up(shop)
    assert report.problems == []
    assert shop.balance(tenant) == 7
    assert [s["status"] for s in shop.ask("GET", "/subscriptions", other).json()["data"]] == ["active"]
    caught_up(shop)
    assert shop.balance(tenant) == 7


def test_sync_names_what_does_not_fit(shop: Shop) -> None:
    order = shop.order(shop.tenant())
    shop.stripe.pay(shop.session(order)["id"], amount_total=1)
    (problem,) = caught_up(shop).problems
    assert order["id"] in problem
    assert "1 are paid, and 1000 were ordered" in problem
    shop.session(order)["status"] = "expired"
    shop.session(order)["amount_total"] = 1000


def test_backfill_meters_each_call_once(shop: Shop) -> None:
    tenant = shop.tenant()
    cus, now = shop.session(shop.order(tenant))["customer"], time.time()
    values = {
        "request_id": "req_x",
        "tenant": tenant,
        "capability": "chat",
        "dialect": "openai.chat",
        "model": "m",
        "stream": False,
        "worker": "w",
        "status": "success",
    }

    async def write() -> None:
        async with shop.office.database.begin() as connection:
            for number, days, charge in ((1, 1, 3_000), (2, 5, 5_000), (3, 20, 7_000), (4, 1, None)):
                at = now - days * 86_400
                call = {"id": f"call_{tenant}_{number}", "received_at": at, "ended_at": at, "charge": charge}
                await connection.execute(insert(model_calls).values(**values, **call))

    shop.run(write)
    assert (caught_up(shop, backfill_days=10).calls, shop.stripe.units(cus)) == (2, 8)
    assert (caught_up(shop, backfill_days=10).calls, shop.stripe.units(cus)) == (0, 8)
    assert (caught_up(shop, backfill_days=34).calls, shop.stripe.units(cus)) == (1, 15)


def test_replay_handles_what_did_not_arrive(shop: Shop) -> None:
    tenant = shop.tenant()
    session = shop.stripe.pay(shop.session(shop.order(tenant))["id"])
    shop.stripe.event("checkout.session.completed", session)
    first = shop.run(lambda: work.replay(shop.office, since=0))
    assert first["done"] >= 1
    assert shop.balance(tenant) == 10
    again = shop.run(lambda: work.replay(shop.office, since=0))
    assert set(again) == {"known"}
    shop.run(lambda: work.replay(shop.office, since=0, again=True))
    assert shop.balance(tenant) == 10


def test_refunding_an_order(shop: Shop) -> None:
    tenant = shop.tenant()
    order, _ = shop.bought(tenant)
    refunded = shop.run(lambda: work.refund(shop.office, order["id"], 300))
    assert refunded.reversed == 3 * 10**9
    assert shop.balance(tenant) == 7


def test_the_commands(shop: Shop) -> None:
    tenant = shop.tenant()
    order, _ = shop.bought(tenant)
    config, context = shop.office.config, shop.plugin.context

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(commands(Office("stripe", config, context_of(context))), words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.output

    status, text = run("status", "--json")
    found = json.loads(text)
    assert found["orders"]["paid"] >= 1
    assert status == (1 if found["refused_events"] or found["stuck_meter_events"] else 0)
    assert "orders:" in run("status")[1]
    assert run("sync", "--days", "1")[0] == 0
    assert run("replay", "--hours", "1")[0] == 0
    assert run("refund", order["id"], "--amount", "500") == (
        0,
        f"Paid back. 5 credits of {order['id']} are taken back.\n",
    )
    assert shop.balance(tenant) == 5


def context_of(running: Any) -> Any:
    """A context of its own, as commands have, on the same database; and its own book of credits."""
    from gateway.plugin import Context
    from gateway.store import Database
    from gateway.upstream import Client
    from gateway_credits.plugin import Credits, CreditsConfig

    context = Context(client=Client(), database=Database(f"sqlite:///{running.database.path}"))
    context.migrations = running.migrations
    Credits("credits", CreditsConfig.model_validate({}), context)
    return context


@pytest.mark.parametrize("order", ["ord_none", ""])
def test_what_was_not_paid_cannot_be_refunded(shop: Shop, order: str) -> None:
    from gateway.errors import InvalidRequest

    with pytest.raises(InvalidRequest, match="Nothing that can be paid back"):
        shop.run(lambda: work.refund(shop.office, order, None))
