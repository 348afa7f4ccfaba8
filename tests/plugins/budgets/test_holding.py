"""What calls reserve and spend: at once, one after the other, and when their process dies."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import update

from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.calls import list_calls
from gateway.store.key_rows import Budget as KeyBudget
from gateway.store.key_rows import KeySettings
from gateway.store.keys import create_key, rotate_key
from gateway.store.tables import model_calls, workers
from gateway.store.teams import add_to_team, create_team
from gateway.types import NANO, Call, Outcome, Principal
from gateway_budgets.rows import change_budget, delete_budget

from .conftest import ACTOR, FixedPrices, Till, running


async def test_calls_at_once_never_exceed_a_hard_budget(till: Till) -> None:
    budget = await till.set(10)
    let_in, refusals = await till.open(200)
    assert len(let_in) == 10
    assert {(each.status, each.code) for each in refusals} == {(402, "budget_exceeded")}
    assert refusals[0].message.startswith("This call may cost more than is left of the budget of this tenant")
    assert (b"x-should-retry", b"false") in refusals[0].headers
    assert await till.counted() == {budget.id: (0, 10 * NANO)}
    await till.settle(*let_in[:9], charge=NANO // 2)
    await till.settle(let_in[9], charge=None)
    assert await till.counted() == {budget.id: (9 * NANO // 2, 0)}
    assert len((await till.open(200))[0]) == 5
    assert len(till.holding._held) == 5


async def test_a_call_settles_once(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(10)
    (call,), _ = await till.open()
    await till.settle(call)
    await till.settle(call)
    assert await till.counted() == {budget.id: (NANO, 0)}
    assert till.holding._held == {}


async def test_a_refusal_leaves_nothing_behind(sqlite_till: Till) -> None:
    till = sqlite_till
    wide, narrow = await till.set(10), await till.set(0.5, scope="user", subject="ann")
    _, (refusal,) = await till.open()
    assert "this user" in refusal.message
    assert (await till.counted()).get(wide.id, (0, 0)) == (0, 0)
    assert (await till.counted()).get(narrow.id, (0, 0)) == (0, 0)
    assert await till.reserved() == 0
    assert till.holding._held == {}


async def test_a_soft_budget_counts_and_refuses_nothing(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(1, kind="soft")
    calls, refusals = await till.open(5)
    assert not refusals
    await till.settle(*calls)
    assert await till.counted() == {budget.id: (5 * NANO, 0)}


async def test_the_charge_counts_even_where_more_was_charged_than_expected(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(10)
    (call,), _ = await till.open()
    await till.settle(call, charge=20 * NANO)
    assert await till.counted() == {budget.id: (20 * NANO, 0)}
    assert len((await till.open())[1]) == 1


async def test_a_call_without_a_price_reserves_nothing(sqlite_till: Till, prices: FixedPrices) -> None:
    till = sqlite_till
    prices.nano = None
    budget = await till.set(1)
    calls, refusals = await till.open(20)
    assert not refusals
    await till.settle(*calls, charge=None)
    assert await till.counted() == {budget.id: (0, 0)}


@pytest.mark.parametrize(
    ("what", "whose"),
    [
        ({"scope": "tenant"}, None),
        ({"scope": "user", "subject": "ann"}, "ann"),
        ({"scope": "model", "subject": "mock/*"}, None),
        ({"scope": "model", "subject": "mock/fast"}, None),
    ],
)
async def test_a_budget_is_of_its_subject_alone(
    sqlite_till: Till, what: dict[str, str], whose: str | None
) -> None:
    till = sqlite_till
    await till.set(1, **what)
    others = [Principal(tenant="other", authenticator="test", user="ann", key="key_1")]
    if what["scope"] == "user":
        others.append(Principal(tenant="acme", authenticator="test", user="bob"))
    for other in others:
        assert len((await till.open(3, principal=other))[0]) == 3
    if what["scope"] == "model":
        assert len((await till.open(3, model="other/fast"))[0]) == 3
    mine = Principal(tenant="acme", authenticator="test", user=whose)
    assert len((await till.open(3, principal=mine))[0]) == 1


async def test_the_budget_of_a_model_holds_under_every_name(sqlite_till: Till) -> None:
    till = sqlite_till
    mock, other = [
        await till.set(amount, scope="model", subject=subject)
        for amount, subject in ((1, "mock/*"), (5, "other/fast"))
    ]
    (call,), refusals = await till.open(5, model="fast")
    assert "this model" in refusals[0].message
    assert await till.counted() == {mock.id: (0, NANO), other.id: (0, NANO)}
    await till.settle(call)
    assert await till.counted() == {mock.id: (NANO, 0), other.id: (0, 0)}


async def test_a_team_has_one_budget_for_all_its_members(sqlite_till: Till) -> None:
    till = sqlite_till
    ann, bob, cyd = [await till.member("acme") for _ in range(3)]
    team = await create_team(till.database, "acme", "team", actor=ACTOR)
    for user in (ann, bob):
        await add_to_team(till.database, "acme", team.id, user, actor=ACTOR)
    await till.set(2, scope="team", subject=team.id)
    for user, served in ((ann, 1), (bob, 1), (ann, 0), (cyd, 1)):
        caller = Principal(tenant="acme", authenticator="test", user=user)
        assert len((await till.open(principal=caller))[0]) == served, user


async def test_the_budget_of_a_key_is_kept_and_follows_its_changes(sqlite_till: Till) -> None:
    till = sqlite_till
    settings = KeySettings(budget=KeyBudget(amount=Decimal(2), currency="EUR", period="day"))
    key, _ = await create_key(till.database, "laptop", tenant="acme", settings=settings, actor=ACTOR)
    await till.plugin.context.changes.look()
    caller = Principal(tenant="acme", authenticator="test", key=key.id)
    calls, refusals = await till.open(8, principal=caller)
    assert len(calls) == 4  # a euro is worth two credits
    assert "this key for today" in refusals[0].message
    new, _ = await rotate_key(till.database, "acme", key.id, actor=ACTOR)
    await till.plugin.context.changes.look()
    caller = Principal(tenant="acme", authenticator="test", key=new.id)
    assert len((await till.open(8, principal=caller))[0]) == 4


async def test_a_key_whose_budget_cannot_be_counted_is_refused(sqlite_till: Till) -> None:
    till = sqlite_till
    settings = KeySettings(budget=KeyBudget(amount=Decimal(2), currency="JPY"))
    key, _ = await create_key(till.database, "laptop", tenant="acme", settings=settings, actor=ACTOR)
    await till.plugin.context.changes.look()
    _, (refusal,) = await till.open(principal=Principal(tenant="acme", authenticator="test", key=key.id))
    assert refusal.message == "The budget of this API key is in JPY, which this gateway does not count."


async def test_changes_hold_at_once(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(1)
    assert len((await till.open(5))[0]) == 1
    await change_budget(till.database, "acme", budget.id, amount=3 * NANO, actor=ACTOR)
    await till.plugin.context.changes.look()
    assert len((await till.open(5))[0]) == 2
    await delete_budget(till.database, "acme", budget.id, actor=ACTOR)
    await till.plugin.context.changes.look()
    calls, refusals = await till.open(5)
    assert not refusals
    await till.settle(*calls)


async def test_a_call_whose_budget_was_removed_settles(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(5)
    (call,), _ = await till.open()
    await delete_budget(till.database, "acme", budget.id, actor=ACTOR)
    await till.plugin.context.changes.look()
    await till.settle(call)
    assert await till.counted() == {budget.id: (NANO, 0)}


async def test_the_reservations_of_a_dead_worker_are_released(
    database: Database, prices: FixedPrices, make_call: Callable[..., Call]
) -> None:
    async with running(database, prices, make_call) as till:
        budget = await till.set(10)
        other = await till.set(20, scope="model", subject="mock/*", period="total")
        calls, _ = await till.open(7)
        await till.settle(*calls[:2])
        assert await till.counted() == {budget.id: (2 * NANO, 5 * NANO), other.id: (2 * NANO, 5 * NANO)}
        async with database.begin() as connection:
            await connection.execute(update(workers).values(id="died", process_start="left"))
            await connection.execute(update(model_calls).values(worker="died"))
        async with running(database, prices, make_call):
            pass
        assert await till.counted() == {budget.id: (2 * NANO, 0), other.id: (2 * NANO, 0)}
        await till.plugin.watch.sweep()  # it may have done so by itself
        assert await till.reserved() == 0


async def test_calls_that_this_worker_did_not_open_settle(
    sqlite_till: Till, make_outcome: Callable[..., Outcome]
) -> None:
    till = sqlite_till
    ledger = Ledger(till.database)
    await ledger.start()
    call = till.make_call()
    await ledger.open(call)
    await ledger.stop()
    await till.settle(call)
    assert await till.counted() == {}
    budget = await till.set(10)
    later = till.make_call()
    await till.ledger.open(later)
    await till.ledger.close(later, make_outcome(charge=NANO))
    assert await till.counted() == {budget.id: (NANO, 0)}
    assert [row.status for row in await list_calls(till.database)] == ["success", "success"]
