"""A call counts in the period in which it came in, also where the payment service told of that later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import select

from gateway.doors import Standing
from gateway.store import Database
from gateway.store.forgetting import call_id_at
from gateway.types import NANO, Call, Principal
from gateway_subscription.recounting import Recounter
from gateway_subscription.rows import all_subscriptions
from gateway_subscription.tables import usage

from .conftest import Shop, running
from .test_adjusting import again

HOUR = 3600


async def told(shop: Shop, start: float, plan: str = "ten") -> None:
    """Let the payment service tell of a period that began then."""
    standing = Standing(
        reference="stripe:sub_1",
        plan=plan,
        seats=1,
        status="active",
        period_start=int(start),
        period_end=int(start) + 30 * 24 * HOUR,
        cancel_at_end=False,
        told_at=time.time(),
    )
    await shop.plugin.follow("acme", standing)


async def opened(shop: Shop, moment: float, count: int = 1, *, by: str = "test") -> list[Call]:
    """Open calls that came in at a moment, which their ids tell, too."""
    calls: list[Call] = []
    for _ in range(count):
        name = f"{call_id_at(moment)}{uuid4().hex[:16]}"
        who = Principal(tenant="acme", authenticator=by)
        calls += (await shop.open(id=name, principal=who, received_at=moment))[0]
    return calls


async def counted(database: Database) -> list[tuple[int, int]]:
    """Whole credits that were spent and are reserved, by period."""
    async with database.connect() as connection:
        rows = await connection.execute(select(usage).order_by(usage.c.start))
        return [(row.spent // NANO, row.reserved // NANO) for row in rows]


@pytest.mark.parametrize("plan", ["ten", "more"])
async def test_calls_between_its_begin_and_the_news_of_it_move_to_a_period(
    database: Database, make_call: Callable[..., Call], plan: str
) -> None:
    now = time.time()
    held = 1 if plan == "ten" else 0
    async with running(database, make_call) as shop, running(database, make_call) as other:
        (book,) = shop.plugin.register_adjusters()
        await told(shop, now - 30 * 24 * HOUR, plan)
        await shop.look()
        await other.look()
        (before,) = await opened(shop, now - 2 * HOUR)
        settled, repriced, running_, elsewhere = await opened(shop, now - 60, 4)
        (late,) = await opened(other, now - 60)
        await shop.settle(before, settled, repriced)
        await again(database, [(before, 2 * NANO), (repriced, 3 * NANO)], book)
        assert await counted(database) == [(6, 3 * held)]
        known = other.holding.by_tenant
        await told(shop, now - HOUR, plan)
        assert await counted(database) == [(2, 3 * held), (4, 0)]
        other.holding.by_tenant = known  # it has not heard of it
        await other.settle(late)
        assert await counted(database) == [(3, 2 * held), (4, 0)]
        await shop.plugin.keeper.go_round()
        assert await counted(database) == [(2, 2 * held), (5, 0)]
        for each in (shop, other):
            each.holding.by_tenant = {row.tenant: row for row in await all_subscriptions(database)}
        await shop.settle(running_)
        await other.settle(elsewhere)
        await shop.plugin.keeper.go_round()
        assert await counted(database) == [(2, 0), (7, 0)]
        await again(database, [(call, 0) for call in (settled, repriced, running_, elsewhere)], book)
        assert await counted(database) == [(2, 0), (1, 0)]


async def test_no_call_is_lost_that_ends_while_the_period_is_told_of(
    database: Database, make_call: Callable[..., Call]
) -> None:
    now = time.time()
    async with running(database, make_call) as shop, running(database, make_call) as other:
        await told(shop, now - 30 * 24 * HOUR, "more")
        await shop.look()
        await other.look()
        ours, theirs = await opened(shop, now - 60, 30), await opened(other, now - 60, 30)
        await asyncio.gather(
            *(shop.settle(call) for call in ours),
            told(shop, now - HOUR, "more"),
            *(other.settle(call) for call in theirs),
        )
        await shop.plugin.keeper.go_round()
        assert await counted(database) == [(0, 0), (60, 0)]


async def test_what_was_used_up_before_is_there_again(shop: Shop) -> None:
    now = time.time()
    await told(shop, now - 30 * 24 * HOUR)
    await shop.look()
    await shop.settle(*await opened(shop, now - 2 * HOUR, 10))
    assert await opened(shop, now - 60) == []
    await told(shop, now - HOUR)
    await shop.look()
    assert len(await opened(shop, time.time(), 11)) == 10


async def test_only_callers_that_need_the_subscription_are_counted_again(shop: Shop) -> None:
    now = time.time()
    await told(shop, now - 30 * 24 * HOUR, "more")
    await shop.look()
    for name in ("component", "session"):
        await shop.settle(*await opened(shop, now - 60, by=name))
    shop.plugin.recounter = Recounter(["component"], ())
    await told(shop, now - HOUR, "more")
    assert await counted(shop.database) == [(1, 0), (1, 0)]
