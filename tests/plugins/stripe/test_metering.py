"""What tenants are charged reaches Stripe once, whatever breaks on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.billing import TakesNotices
from gateway.errors import Unavailable
from gateway_stripe.meter import Sending
from gateway_stripe.metering import Usage
from gateway_stripe.tables import meter_events

from .shop import Shop

_numbers = iter(range(1, 1_000_000))


def record(tenant: str, nano: int | None, at: float | None = None) -> dict[str, Any]:
    """A settled call, as far as metering looks at it."""
    ended = datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat()
    return {"id": f"call_{next(_numbers)}", "tenant": tenant, "charge_nano": nano, "ended_at": ended}


def deliver(shop: Shop, records: Sequence[dict[str, Any]]) -> None:
    metering = shop.office.metering
    assert metering is not None
    shop.run(lambda: metering.deliver(records))


def customer(shop: Shop) -> tuple[str, str]:
    """A tenant that is a customer."""
    tenant = shop.tenant()
    return tenant, shop.session(shop.order(tenant))["customer"]


def rows(shop: Shop, tenant: str) -> list[Any]:
    async def read() -> list[Any]:
        async with shop.office.database.connect() as connection:
            query = select(meter_events).where(meter_events.c.tenant == tenant)
            return list(await connection.execute(query))

    return shop.run(read)


def change(shop: Shop, tenant: str, **values: Any) -> None:
    async def write() -> None:
        async with shop.office.database.begin() as connection:
            which = update(meter_events).where(meter_events.c.tenant == tenant)
            await connection.execute(which.values(**values))

    shop.run(write)


def test_charges_add_up_and_parts_of_a_unit_wait(shop: Shop) -> None:
    tenant, cus = customer(shop)
    deliver(shop, [record(tenant, 1_500), record(tenant, 700), record(tenant, None), record(tenant, 0)])
    assert shop.stripe.units(cus) == 2  # a unit is 1,000; 200 wait
    deliver(shop, [record(tenant, 799)])
    assert shop.stripe.units(cus) == 2
    deliver(shop, [record(tenant, 1)])
    assert shop.stripe.units(cus) == 3


def test_a_call_that_comes_again_counts_once(shop: Shop) -> None:
    tenant, cus = customer(shop)
    batch = [record(tenant, 1_000) for _ in range(5)]
    deliver(shop, batch)
    deliver(shop, [*batch[3:], record(tenant, 1_000)])
    assert shop.stripe.units(cus) == 6


def adjusted(call: dict[str, Any], nano: int) -> dict[str, Any]:
    """The notice of an adjustment, as sinks are given it."""
    return {
        "id": f"evt_{next(_numbers)}",
        "kind": "adjustment",
        "tenant": call["tenant"],
        "user": None,
        "time": datetime.now(UTC).isoformat(),
        "data": {"call": call["id"], "charge_nano": nano, "received_at": call["ended_at"]},
    }


def test_adjustments_of_metered_calls_correct_the_meter_once(shop: Shop) -> None:
    early = shop.tenant()
    before = record(early, 9_000)
    deliver(shop, [before])  # of nobody whom Stripe knows
    cus = shop.session(shop.order(early))["customer"]
    calls = [record(early, 5_000), record(early, 2_000)]
    deliver(shop, calls)
    metering = shop.office.metering
    assert isinstance(metering, TakesNotices)
    notices = [
        adjusted(calls[0], 1_500),
        adjusted(calls[1], -2_000),
        adjusted(before, 50_000),
        {**adjusted(calls[0], 70_000), "kind": "refund"},
    ]
    for _ in range(2):
        shop.run(lambda: metering.deliver_notices(notices))
    assert shop.stripe.units(cus) == 6  # 500 wait
    shop.run(lambda: metering.deliver_notices([adjusted(calls[0], -6_600)]))
    assert shop.stripe.units(cus) == -1
    deliver(shop, [record(early, 100)])
    assert shop.stripe.units(cus) == 0
    assert all(row.status == "sent" for row in rows(shop, early))


def test_an_answer_that_is_lost_charges_once(shop: Shop) -> None:
    tenant, cus = customer(shop)
    batch = [record(tenant, 4_000)]
    shop.stripe.trouble = ["lost"]  # the library tries again, and hears that the event is known
    deliver(shop, batch)
    assert shop.stripe.units(cus) == 4
    assert [row.status for row in rows(shop, tenant)] == ["sent"]


def test_what_stripe_does_not_take_stays_and_goes_later_under_the_same_identifier(shop: Shop) -> None:
    tenant, cus = customer(shop)
    batch = [record(tenant, 4_000)]
    shop.stripe.trouble = ["away"] * 3
    with pytest.raises(Unavailable):
        deliver(shop, batch)
    (waiting,) = rows(shop, tenant)
    assert waiting.status == "pending"
    deliver(shop, batch)
    assert shop.stripe.units(cus) == 4
    assert shop.stripe.meter_events[waiting.id]["timestamp"] == str(waiting.at)


def test_who_dies_between_claim_and_sending_charges_once(shop: Shop) -> None:
    tenant, cus = customer(shop)
    metering, batch = shop.office.metering, [record(tenant, 1_500), record(tenant, 2_500)]
    assert metering is not None
    usage = [Usage(r["id"], tenant, r["charge_nano"], time.time()) for r in batch]
    assert shop.run(lambda: metering.claim(usage)) == 2
    assert shop.stripe.units(cus) == 0
    deliver(shop, [*batch, record(tenant, 1_000)])  # as the outbox gives them to the next worker
    assert shop.stripe.units(cus) == 5


def test_hours_are_told_apart_as_they_are_reported_late(shop: Shop) -> None:
    tenant, cus = customer(shop)
    now = time.time() // 3600 * 3600
    deliver(shop, [record(tenant, 1_000, now - hour * 3600) for hour in (1, 1, 30)])
    assert shop.stripe.units(cus) == 3
    assert sorted((int(now) - row.at) // 3600 for row in rows(shop, tenant)) == [1, 30]


def test_usage_beyond_the_window_is_late_and_an_old_try_unsure(shop: Shop) -> None:
    tenant, cus = customer(shop)
    deliver(shop, [record(tenant, 1_000, time.time() - 36 * 86_400)])
    assert [row.status for row in rows(shop, tenant)] == ["late"]
    other, _ = customer(shop)
    shop.stripe.trouble = ["away"] * 3
    with pytest.raises(Unavailable):
        deliver(shop, [record(other, 1_000)])
    change(shop, other, tried_at=time.time() - 86_400)
    deliver(shop, [])
    assert [row.status for row in rows(shop, other)] == ["unsure"]
    assert shop.stripe.units(cus) == 0
    change(shop, other, status="sent")
    change(shop, tenant, status="sent")


def test_an_event_that_stripe_refuses_holds_up_no_other(shop: Shop) -> None:
    tenant, cus = customer(shop)
    metering, good = shop.office.metering, record(tenant, 2_000)
    assert metering is not None
    soon = record(tenant, 1_000, time.time() + 7200)  # of a clock that is wrong
    deliver(shop, [soon, good])
    assert shop.stripe.units(cus) == 2
    assert sorted(row.status for row in rows(shop, tenant)) == ["refused", "sent"]
    change(shop, tenant, status="sent")


def test_who_is_no_customer_is_not_metered_until_they_are(shop: Shop) -> None:
    tenant = shop.tenant()
    batch = [record(tenant, 1_000)]
    deliver(shop, batch)
    assert rows(shop, tenant) == []
    cus = shop.session(shop.order(tenant))["customer"]
    deliver(shop, batch)
    assert shop.stripe.units(cus) == 1


def test_a_meter_is_made_once(shop: Shop) -> None:
    tenant, _ = customer(shop)
    deliver(shop, [record(tenant, 1_000)])
    assert [meter["event_name"] for meter in shop.stripe.meters] == ["ai_usage"]
    meter, client = shop.office.config.meter, shop.office.client
    assert meter is not None
    assert shop.run(Sending(meter, shop.office.database, client).make_meter) is False
    assert len(shop.stripe.meters) == 1


def test_a_call_of_the_gateway_is_metered(shop: Shop) -> None:
    tenant, cus = customer(shop)
    headers = {"authorization": f"Test {tenant} usr_x calls.make"}
    body = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello " * 200}]}
    shop.run(lambda: shop.office.book().grant(tenant, 10**9, kind="paid", reference=f"test:{tenant}"))
    assert shop.client.post("/v1/chat/completions", json=body, headers=headers).status_code == 200
    deadline = time.monotonic() + 30
    while not shop.stripe.units(cus):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    charged = 10**9 - round(shop.balance(tenant) * 10**9)
    assert charged // 1_000 == shop.stripe.units(cus)
