"""Whatever is used, renewed and priced again in whichever order, the usage of each period is what its calls cost by now."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec import structs
from sqlalchemy import select

from gateway.errors import QuotaExceeded
from gateway.ledger import Ledger, PriceBook, Pricing, RatedCalls
from gateway.store import Database
from gateway.store.calls import get_call
from gateway.store.price_adjustments import Correction, adjust
from gateway.store.tenants import create_tenant
from gateway.testing.fakes import make_call
from gateway.types import NANO, Call, Outcome, Principal
from gateway_invoices.usage import used
from gateway_subscription import rows
from gateway_subscription.adjusting import Adjuster
from gateway_subscription.calendar import boundary
from gateway_subscription.holding import Holding
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.plugin import MIGRATIONS
from gateway_subscription.rows import all_subscriptions, change, renew_due, subscribe
from gateway_subscription.tables import usage

from ... import scratch
from .conftest import ACTOR, PLANS, OneCredit, Shop, running

DAY = 86_400
WHO = Principal(tenant="acme", authenticator="test")
NOBODY = multiple(*list[Call]())
ROOM = {"ten": 10 * NANO, "more": None}
"""What calls of a period may be charged together."""


async def again(database: Database, costs: Sequence[tuple[Call, int]], *books: Any) -> int:
    """Let calls cost so much instead; return how many adjustments that took."""
    wanted: list[Correction] = []
    for call, cost in costs:
        row: Any = await get_call(database, call.id)
        wanted.append(
            Correction(row=row, cost=0, charge=cost - (row.charge or 0), price_version=None, selling=None)
        )
    return len(await adjust(database, wanted, reason="again", actor=ACTOR, books=books))


async def counted(database: Database) -> list[int]:
    async with database.connect() as connection:
        return [*(await connection.execute(select(usage.c.spent).order_by(usage.c.start))).scalars()]


async def test_usage_follows_and_lets_calls_in_or_refuses_them(
    database: Database, make_call: Callable[..., Call]
) -> None:
    async with running(database, make_call) as shop:
        (book,) = shop.plugin.register_adjusters()
        await subscribe(database, shop.plans, "acme", "ten", actor=ACTOR)
        await shop.look()
        let_in, _ = await shop.open(9)
        await shop.settle(*let_in)
        assert await again(database, [(let_in[0], 5 * NANO), (let_in[1], NANO // 2)], book) == 2
        assert await counted(database) == [25 * NANO // 2]
        assert len((await shop.open())[1]) == 1
        assert await again(database, [(let_in[0], 5 * NANO)], book) == 0
        assert await again(database, [(call, 0) for call in let_in], book) == 9
        assert await counted(database) == [0]
        assert len((await shop.open(20))[0]) == 10


async def test_only_calls_that_needed_the_subscription_count(shop: Shop) -> None:
    (before,), _ = await shop.open(principal=Principal(tenant="operator", authenticator="test"))
    await shop.settle(before)
    await create_tenant(shop.database, "operator", actor=ACTOR)
    began = await subscribe(shop.database, shop.plans, "operator", "more", actor=ACTOR)
    await shop.look()
    at = began.period_start + 1.0
    calls: list[Call] = []
    for name in ("component", "session"):
        who = Principal(tenant="operator", authenticator=name)
        calls += (await shop.open(principal=who, received_at=at))[0]
    await shop.settle(*calls)
    assert await counted(shop.database) == [2 * NANO]
    costs = [(call, 3 * NANO) for call in (before, *calls)]
    assert await again(shop.database, costs, Adjuster(["component"])) == 3
    assert await counted(shop.database) == [4 * NANO]


class Machine(RuleBasedStateMachine):
    """A tenant, its calls, time, and prices that change afterwards."""

    running = Bundle("running")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
        self.clock = patch.object(rows, "time", SimpleNamespace(time=lambda: self.now))
        self.clock.start()
        self.database = Database(scratch.sqlite(Path(self.folder.name), MIGRATIONS))
        self.plans = Plans({name: Plan.model_validate(plan) for name, plan in PLANS.items()})
        self.holding, self.other = Holding(self.plans, ()), Holding(self.plans, ())
        self.holding.prices = self.other.prices = OneCredit()
        self.books: Any = Adjuster()
        self.run(create_tenant(self.database, "acme", actor=ACTOR))
        began = self.run(subscribe(self.database, self.plans, "acme", "ten", actor=ACTOR))
        self.starts = [boundary(began.period_start, "month", number) for number in range(40)]
        self.plan = "ten"
        self.costs: dict[str, tuple[int, int]] = {}
        """The period of each call that has ended, and what it costs by now."""
        self.open_in: dict[str, int] = {}
        self.run(self.begin())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def begin(self) -> None:
        self.ledger = Ledger(self.database, billing=[self.holding])
        self.elsewhere = Ledger(self.database, billing=[self.other])
        await self.ledger.start()
        await self.elsewhere.start()
        await self.look()

    async def look(self) -> None:
        self.holding.by_tenant = {row.tenant: row for row in await all_subscriptions(self.database)}
        self.other.by_tenant = self.holding.by_tenant

    def teardown(self) -> None:
        self.run(self.invoice_asks_for_what_calls_cost())
        self.run(self.ledger.stop())
        self.run(self.elsewhere.stop())
        self.run(self.database.close())
        self.loop.close()
        self.clock.stop()
        self.folder.cleanup()

    async def flush(self) -> None:
        await self.ledger.write(())
        await self.elsewhere.write(())

    def period(self) -> int:
        return max(start for start in self.starts if start <= self.now)

    @rule(days=st.sampled_from([1, 17, 28]))
    def time_passes(self, days: int) -> None:
        """The next period begins by the clock: who renews it comes later."""
        self.run(renew_due(self.database, self.plans))
        self.now += days * DAY

    @rule()
    def know(self) -> None:
        """The worker learns what was renewed."""
        self.run(renew_due(self.database, self.plans))
        self.run(self.look())

    @rule(target=running)
    def open(self) -> Any:
        return self.begun()

    @rule(target=ended, tenths=st.integers(1, 40))
    def use(self, tenths: int) -> Any:
        """Open and settle at once."""
        call = self.begun()
        return call if call is NOBODY else self.settle(call, tenths)

    def begun(self) -> Any:
        call = structs.replace(make_call(principal=WHO), received_at=self.now)
        start = self.period()
        taken = sum(cost for period, cost in self.costs.values() if period == start)
        taken += NANO * sum(1 for period in self.open_in.values() if period == start)
        room = ROOM[self.plan]
        try:
            self.run(self.ledger.open(call))
        except QuotaExceeded:
            self.holding.finished(call, Outcome(status="failed"))
            assert room is not None
            assert taken + NANO > room
            return NOBODY
        assert room is None or taken + NANO <= room
        self.open_in[call.id] = start
        return call

    @rule(target=ended, call=consumes(running), tenths=st.integers(1, 40))
    def end(self, call: Call, tenths: int) -> Call:
        return self.settle(call, tenths)

    @rule(target=ended, call=consumes(running), tenths=st.integers(1, 40))
    def end_elsewhere(self, call: Call, tenths: int) -> Call:
        """Another worker settles it, as when the one that opened it has died."""
        return self.settle(call, tenths, self.elsewhere)

    def settle(self, call: Call, tenths: int, ledger: Ledger | None = None) -> Call:
        outcome = Outcome(status="success", provider="mock", attempts=1, ended_at=self.now)
        outcome.charge = tenths * NANO // 10
        (ledger or self.ledger).settle(call, outcome)
        self.run(self.flush())
        self.costs[call.id] = self.open_in.pop(call.id), outcome.charge
        return call

    @rule(
        calls=st.lists(ended, min_size=1, max_size=4, unique_by=id),
        tenths=st.lists(st.integers(0, 60), min_size=4, max_size=4),
    )
    def price_again(self, calls: list[Call], tenths: list[int]) -> None:
        costs = [(call, ten * NANO // 10) for call, ten in zip(calls, tenths, strict=False)]
        self.run(again(self.database, costs, self.books))
        for call, cost in costs:
            self.costs[call.id] = self.costs[call.id][0], cost

    @rule()
    def upgrade(self) -> None:
        if self.plan == "ten":
            self.run(change(self.database, self.plans, "acme", "more", actor=ACTOR))
            self.run(self.look())
            self.plan = "more"

    @invariant()
    def each_period_has_used_what_its_calls_cost(self) -> None:
        costs: Counter[int] = Counter()
        for start, cost in self.costs.values():
            costs[start] += cost
        assert self.run(self.spent()) == {start: cost for start, cost in costs.items() if cost}

    async def spent(self) -> dict[int, int]:
        async with self.database.connect() as connection:
            found = await connection.execute(select(usage.c.start, usage.c.spent))
            return {row.start: row.spent for row in found if row.spent}

    async def invoice_asks_for_what_calls_cost(self) -> None:
        pricing = Pricing(PriceBook.load())
        charges = RatedCalls(lambda: pricing, dict)
        async with self.database.connect() as connection:
            asked = await used(connection, charges, "acme", 0.0, max(self.now, time.time()) + DAY)
        assert sum(line.credits or 0 for line in asked.lines) == sum(cost for _, cost in self.costs.values())


def test_usage_and_invoice_say_what_the_ledger_says() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
