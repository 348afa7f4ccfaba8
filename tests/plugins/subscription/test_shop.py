"""Who is served, how much of what is included is used, and what is renewed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select, update

from gateway.errors import ConfigError, InvalidRequest
from gateway.store import Database
from gateway.store.tables import model_calls, workers
from gateway.store.tenants import get_tenant
from gateway.types import NANO, Call, CallLimits, Principal
from gateway_subscription.rows import (
    all_subscriptions,
    cancel,
    change,
    get_subscription,
    list_charges,
    renew_due,
    set_overdue,
    subscribe,
)
from gateway_subscription.tables import metadata, subscriptions, usage

from .conftest import ACTOR, Grants, Shop, running

DAY = 86_400


async def counted(database: Database) -> list[tuple[int, int]]:
    async with database.connect() as connection:
        return [(row.spent, row.reserved) for row in await connection.execute(select(usage))]


async def later(database: Database, seconds: int) -> None:
    """Let time pass: move a subscription into the past."""
    columns = {
        name: getattr(subscriptions.c, name) - seconds
        for name in ("anchor", "period_start", "period_end", "grace_until")
    }
    async with database.begin() as connection:
        await connection.execute(update(subscriptions).values(**columns))


async def test_calls_at_once_use_no_more_than_is_included(
    database: Database, make_call: Callable[..., Call]
) -> None:
    async with running(database, make_call) as shop:
        _, (refusal,) = await shop.open()
        assert (refusal.status, refusal.code) == (402, "subscription_required")
        await subscribe(database, shop.plans, "acme", "ten", actor=ACTOR)
        await shop.look()
        let_in, refusals = await shop.open(60)
        assert len(let_in) == 10
        assert {(each.status, each.code) for each in refusals} == {(402, "subscription_used_up")}
        await shop.settle(*let_in[:6], charge=NANO // 2)
        assert await counted(database) == [(3 * NANO, 4 * NANO)]
        async with database.begin() as connection:
            await connection.execute(update(workers).values(id="died", process_start="left"))
            await connection.execute(update(model_calls).values(worker="died"))
        async with running(database, make_call):
            pass
        assert await counted(database) == [(3 * NANO, 0)]
        assert len(shop.holding._held) == 4


async def test_several_workers_renew_once(database: Database, make_call: Callable[..., Call]) -> None:
    async with running(database, make_call) as shop:
        await subscribe(database, shop.plans, "acme", "ten", actor=ACTOR)
        await later(database, 70 * DAY)
        await asyncio.gather(*(renew_due(database, shop.plans) for _ in range(4)))
        charges = await list_charges(database, "acme")
        assert [charge.amount for charge in charges] == [5 * NANO] * 3
        assert len({charge.id for charge in charges}) == 3


async def test_beyond_what_is_included_calls_go_on_where_they_are_charged(shop: Shop) -> None:
    await subscribe(shop.database, shop.plans, "acme", "more", actor=ACTOR)
    await shop.look()
    let_in, refusals = await shop.open(30)
    assert not refusals
    await shop.settle(*let_in)
    assert await counted(shop.database) == [(30 * NANO, 0)]


async def test_a_call_that_another_worker_settles_counts_where_it_came_in(
    database: Database, make_call: Callable[..., Call]
) -> None:
    async with running(database, make_call) as shop, running(database, make_call) as other:
        await subscribe(database, shop.plans, "acme", "more", actor=ACTOR)
        await later(database, DAY)
        async with database.begin() as connection:
            await connection.execute(update(usage).values(start=usage.c.start - DAY))
        await shop.look()
        at = time.time() - 60
        before, between = (await shop.open(2, received_at=at))[0]
        await other.look()
        await other.settle(before)
        await change(database, shop.plans, "acme", "enterprise", actor=ACTOR)  # its year begins at once
        await other.look()
        await other.settle(between)
        async with database.connect() as connection:
            found = await connection.execute(select(usage.c.spent).order_by(usage.c.start))
            assert [*found.scalars()] == [2 * NANO, 0]


async def test_who_is_exempt_needs_no_subscription(shop: Shop) -> None:
    let_in, _ = await shop.open(principal=Principal(tenant="operator", authenticator="test"))
    assert len(let_in) == 1
    await shop.settle(*let_in)
    assert await counted(shop.database) == []


async def test_plans_give_limits_models_and_prices(shop: Shop) -> None:
    await subscribe(shop.database, shop.plans, "acme", "ten", actor=ACTOR)
    await shop.look()
    assert (await get_tenant(shop.database, "acme")).limits == CallLimits(concurrent=3)
    assert shop.prices.plan_of("acme") == "ten"
    assert shop.prices.plan_of("other") is None
    await change(shop.database, shop.plans, "acme", "more", actor=ACTOR)
    assert (await get_tenant(shop.database, "acme")).models == ("mock/*",)


async def test_an_ended_subscription_serves_nobody_and_may_begin_anew(shop: Shop) -> None:
    plans = shop.plans
    first = await subscribe(shop.database, plans, "acme", "starter", actor=ACTOR)
    assert first.status == "trialing"
    with pytest.raises(InvalidRequest, match="already"):
        await subscribe(shop.database, plans, "acme", "ten", actor=ACTOR)
    await cancel(shop.database, plans, "acme", actor=ACTOR)
    await shop.look()
    assert len((await shop.open())[0]) == 1
    await later(shop.database, 15 * DAY)
    await shop.plugin.keeper.go_round()
    await shop.look()
    assert (await get_subscription(shop.database, "acme")).status == "cancelled"
    assert len((await shop.open())[1]) == 1
    with pytest.raises(InvalidRequest, match="has ended"):
        await change(shop.database, plans, "acme", "ten", actor=ACTOR)
    again = await subscribe(shop.database, plans, "acme", "starter", actor=ACTOR)
    assert (again.id, again.status) == (first.id, "active")


async def test_an_overdue_payment_ends_it_after_the_days_of_grace(shop: Shop) -> None:
    plans = shop.plans
    await subscribe(shop.database, plans, "acme", "professional", actor=ACTOR)
    await later(shop.database, 20 * DAY)
    await shop.plugin.keeper.go_round()
    overdue = await set_overdue(shop.database, plans, "acme", overdue=True, actor=ACTOR)
    assert overdue.status == "past_due"
    assert (await set_overdue(shop.database, plans, "acme", overdue=False, actor=ACTOR)).status == "active"
    await set_overdue(shop.database, plans, "acme", overdue=True, actor=ACTOR)
    await later(shop.database, 14 * DAY + 1)
    await shop.plugin.keeper.go_round()
    assert (await get_subscription(shop.database, "acme")).status == "expired"


async def test_less_waits_for_the_next_period(shop: Shop) -> None:
    plans = shop.plans
    await subscribe(shop.database, plans, "acme", "more", seats=2, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="next period"):
        await change(shop.database, plans, "acme", "ten", actor=ACTOR)
    await change(shop.database, plans, "acme", "ten", at_end=True, actor=ACTOR)
    await later(shop.database, 31 * DAY)
    await renew_due(shop.database, plans)
    row = await get_subscription(shop.database, "acme")
    assert (row.plan, row.seats, row.included) == ("ten", 2, 20 * NANO)
    assert (await get_tenant(shop.database, "acme")).limits == CallLimits(concurrent=3)


async def test_what_is_included_is_given_as_credit_once(shop: Shop, make_call: Callable[..., Call]) -> None:
    credit = Grants()
    async with running(shop.database, make_call, credit=credit) as paid:
        row = await subscribe(shop.database, shop.plans, "acme", "ten", actor=ACTOR)
        for _ in range(2):
            await paid.plugin.keeper.go_round()
        (charge,) = await list_charges(shop.database, "acme")
        assert credit.given == [("acme", 10 * NANO, f"subscription:{charge.id}", float(row.period_end))]


async def test_bad_wishes_are_refused(shop: Shop) -> None:
    for tenant, plan, seats, word in (
        ("nobody", "ten", 1, "no tenant"),
        ("acme", "gold", 1, "no plan 'gold'; there are free, starter"),
        ("acme", "free", 2, "from 1 to 1 seats"),
        ("acme", "ten", 0, "seats"),
    ):
        with pytest.raises(InvalidRequest, match=word):
            await subscribe(shop.database, shop.plans, tenant, plan, seats=seats, actor=ACTOR)
    assert await all_subscriptions(shop.database) == []
    with pytest.raises(InvalidRequest, match="no subscription"):
        await cancel(shop.database, shop.plans, "acme", actor=ACTOR)


async def test_a_plan_that_is_gone_is_told_at_the_start(shop: Shop, make_call: Callable[..., Call]) -> None:
    await subscribe(shop.database, shop.plans, "acme", "ten", actor=ACTOR)
    with pytest.raises(ConfigError, match=r"the plan 'ten': describe it in plans\.ten"):
        async with running(shop.database, make_call, plans={}):
            pass


async def test_the_migration_makes_the_tables(database: Database) -> None:
    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or name in metadata.tables

    def differences(connection: Connection) -> list[Any]:
        options: dict[str, Any] = {"compare_type": True, "include_object": ours}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_what_happens_beyond_is_settled_when_a_period_begins(
    database: Database, make_call: Callable[..., Call]
) -> None:
    generous = {"ten": {"name": "Ten", "price": "5", "included": "10", "overage": "allow"}}
    async with running(database, make_call) as shop:
        await subscribe(database, shop.plans, "acme", "ten", actor=ACTOR)
    async with running(database, make_call, plans=generous) as shop:
        assert len((await shop.open(12))[0]) == 10
        await later(database, 32 * DAY)
        await renew_due(database, shop.plans)
        await shop.look()
        assert len((await shop.open(12))[0]) == 12
