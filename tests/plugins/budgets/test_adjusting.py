"""What pricing again changes is counted in the budgets of the calls, in the period in which they came in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ids import Ids
from gateway.store.calls import get_call
from gateway.store.key_rows import Budget as KeyBudget
from gateway.store.key_rows import KeySettings
from gateway.store.keys import create_key
from gateway.store.notices import list_notices
from gateway.store.price_adjustments import Adjustment, Correction, adjust
from gateway.store.teams import add_to_team, create_team
from gateway.types import NANO, Call, Outcome, Principal
from gateway_budgets.adjusting import Adjuster
from gateway_budgets.book import Entry
from gateway_budgets.period import period_at, zone_of
from gateway_budgets.standing import standings
from gateway_budgets.tables import alerts, budgets

from ... import scratch
from .conftest import ACTOR, Till

DAY = 86_400


async def again(till: Till, *costs: tuple[Call, float], books: Sequence[Any] = ()) -> int:
    """Let calls that were charged one credit cost so many instead; return how many adjustments that took."""
    wanted = [
        Correction(
            row=await get_call(till.database, call.id),
            cost=0,
            charge=int(cost * NANO) - NANO,
            price_version=None,
            selling=None,
        )
        for call, cost in costs
    ]
    books = books or till.plugin.register_adjusters()
    return len(await adjust(till.database, wanted, reason="again", actor=ACTOR, books=books))


async def test_budgets_follow_and_let_calls_in_or_refuse_them(till: Till) -> None:
    budget = await till.set(10)
    calls, _ = await till.open(9)
    await till.settle(*calls)
    assert await again(till, (calls[0], 5), (calls[1], 0.5)) == 2
    assert await till.counted() == {budget.id: (25 * NANO // 2, 0)}
    assert len((await till.open())[1]) == 1
    assert await again(till, (calls[0], 5), (calls[1], 0.5)) == 0
    assert await again(till, *((call, 0) for call in calls)) == 9
    assert await till.counted() == {budget.id: (0, 0)}
    assert len((await till.open(20))[0]) == 10


async def test_each_budget_that_held_for_the_call_follows_in_its_period(till: Till) -> None:
    user = await till.member("acme")
    team = await create_team(till.database, "acme", "team", actor=ACTOR)
    await add_to_team(till.database, "acme", team.id, user, actor=ACTOR)
    own = KeySettings(budget=KeyBudget(amount=Decimal(9), currency="CREDIT", period="total"))
    key, _ = await create_key(till.database, "laptop", tenant="acme", settings=own, actor=ACTOR)
    mine = [
        await till.set(9, period="day"),
        await till.set(9, period="day", scope="user", subject=user),
        await till.set(9, period="day", scope="team", subject=team.id),
        await till.set(9, period="day", scope="model", subject="mock/*"),
    ]
    others = [
        await till.set(9, scope="user", subject="usr_bob"),
        await till.set(9, scope="model", subject="other/*"),
        await till.set(9, tenant="other"),
    ]
    caller = Principal(tenant="acme", authenticator="test", user=user, key=key.id)
    now = min(budget.created_at for budget in mine) + 60
    days = [now + DAY * day for day in range(3)]
    calls = [(await till.open(principal=caller, received_at=at, id=f"call_{Ids()()}"))[0][0] for at in days]
    await till.settle(*calls)
    assert await again(till, (calls[0], 3), (calls[1], 0)) == 2
    for budget in mine:
        entry = Entry(id=budget.id, tenant="acme", scope="tenant", subject="", span="day", amount=1, since=0)
        spent = [(await standings(till.database, [entry], at))[0].spent for at in days]
        assert spent == [3 * NANO, 0, NANO]
    counted = await till.counted()
    assert counted[key.id] == (4 * NANO, 0)
    assert not counted.keys() & {budget.id for budget in others}


async def test_the_budget_of_the_model_that_answered_follows(till: Till) -> None:
    mock, other = [await till.set(9, scope="model", subject=f"{name}/*") for name in ("mock", "other")]
    (call,), _ = await till.open(model="fast")
    await till.settle(call)
    assert await again(till, (call, 3)) == 1
    assert await till.counted() == {mock.id: (3 * NANO, 0), other.id: (0, 0)}


async def test_a_budget_that_was_set_later_stays_as_it_is(till: Till) -> None:
    calls, _ = await till.open(2)
    await till.settle(*calls)
    budget = await till.set(10)
    assert await again(till, (calls[0], 3), (calls[1], 0)) == 2
    assert await till.counted() == {}
    (later,), _ = await till.open(received_at=budget.created_at + 1)
    await till.settle(later)
    assert await again(till, (later, 3)) == 1
    assert await till.counted() == {budget.id: (3 * NANO, 0)}


async def test_a_threshold_that_a_repricing_reaches_is_told_of(till: Till) -> None:
    await till.set(10, period="total")  # a month might end between the steps
    (call,), _ = await till.open()
    await till.settle(call)
    await till.plugin.watch.look()
    await again(till, (call, 6))
    assert await told(till) == [(50, 6 * NANO, False)]
    till.plugin.watch.touch_all()
    await till.plugin.watch.look()
    assert await told(till) == [(50, 6 * NANO, False)]


async def test_thresholds_of_a_period_that_is_over_are_told_of_once(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    budget = await till.set(10)
    now = time.time()
    async with till.database.begin() as connection:
        await connection.execute(update(budgets).values(created_at=now - 99 * DAY))
    at = [now - 65 * DAY, now + DAY]  # the second in a month that does not end meanwhile
    calls = [(await till.open(received_at=when, id=f"call_{Ids()()}"))[0][0] for when in at]
    await till.settle(*calls)
    await again(till, (calls[0], 4))
    assert await told(till) == []
    for cost in (9, 3, 9):
        await again(till, (calls[0], cost))
    assert await told(till) == [(50, 9 * NANO, True), (80, 9 * NANO, True)]
    await again(till, (calls[0], 11), (calls[1], 5))
    assert await told(till) == [
        *[(50, 5 * NANO, False), (50, 9 * NANO, True)],
        *[(80, 9 * NANO, True), (100, 11 * NANO, True)],
    ]
    async with till.database.connect() as connection:
        starts = {*(await connection.execute(select(alerts.c.start))).scalars()}
    assert starts == {period_at("month", zone_of(budget.time_zone), when).start for when in at}
    assert len([each for each in caplog.messages if "which is over" in each]) == 3


async def told(till: Till) -> list[tuple[int, int, bool]]:
    """Thresholds, the lowest first, what was spent, and whether the period was over."""
    found = await list_notices(till.database, "acme", after=None, limit=99)
    data = [each.data for each in found if each.kind == "budget"]
    return sorted((each["threshold_percent"], each["spent_nano"], each["period_over"]) for each in data)


class Slow(Adjuster):
    """Counts one adjustment after the other, and does something in between."""

    between: Callable[[], Awaitable[None]]

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        for place, each in enumerate(adjustments):
            if place:
                await self.between()
            await super().on_adjust(connection, [each])


@pytest.mark.parametrize("database_url", scratch.KINDS[1:], indirect=True)
async def test_calls_and_repricings_do_not_lock_each_other_out(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    users = ("usr_ann", "usr_bob")
    first, second = sorted(
        [await till.set(9, scope="user", subject=user) for user in users], key=lambda budget: budget.id
    )
    ann, bob = (Principal(tenant="acme", authenticator="test", user=each.subject) for each in (first, second))
    at = max(first.created_at, second.created_at) + 1
    priced = [(await till.open(principal=who, received_at=at))[0][0] for who in (ann, bob)]
    await till.settle(*priced)
    (running,), _ = await till.open(principal=bob, received_at=at)
    begun: list[asyncio.Task[Any]] = []

    async def batch() -> None:
        """End a call of the one whose budget is counted last, and begin one of the other."""
        outcome = Outcome(status="success", ended_at=at, charge=NANO)
        till.ledger.settle(running, outcome)
        await till.ledger.open(till.make_call(principal=ann, received_at=at))

    async def calls() -> None:
        begun.append(asyncio.create_task(batch()))
        await asyncio.sleep(0.3)

    slow = Slow(till.database, {}, (), log=logging.getLogger("test"))
    slow.between = calls
    assert await again(till, *((call, 3) for call in priced), books=[slow]) == 2
    await asyncio.gather(*begun)
    assert await till.counted() == {first.id: (3 * NANO, NANO), second.id: (4 * NANO, 0)}
    assert [record.message for record in caplog.records if record.name == "gateway.journal"] == []
