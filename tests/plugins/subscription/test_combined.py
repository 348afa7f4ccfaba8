"""Included usage and prepaid credit together: exact at their border, in the order that the config says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import QuotaExceeded
from gateway.ledger import Ledger
from gateway.plugin import Context
from gateway.store import Database
from gateway.types import NANO, Call, Outcome, Principal
from gateway.upstream import Client
from gateway_credits.plugin import MIGRATIONS as CREDITS
from gateway_credits.plugin import Credits, CreditsConfig
from gateway_credits.tables import grants
from gateway_subscription import Subscription
from gateway_subscription.config import SubscriptionConfig
from gateway_subscription.plugin import MIGRATIONS
from gateway_subscription.rows import subscribe

from .conftest import ACTOR, PLANS, OneCredit


class Both:
    """A ledger that both plugins bill for."""

    def __init__(
        self, ledger: Ledger, subscription: Subscription, credit: Credits, make: Callable[..., Call]
    ) -> None:
        self.ledger, self.subscription, self.credit, self.make = ledger, subscription, credit, make

    async def subscribe(self, plan: str) -> None:
        database = self.subscription.context.database
        await subscribe(database, self.subscription.plans, "acme", plan, actor=ACTOR)
        await self.subscription.context.changes.look()
        await self.subscription.keeper.go_round()

    async def open(self, count: int, authenticator: str = "test") -> tuple[list[Call], list[str | None]]:
        """Open so many calls at once: those that were let in, and the codes of the refusals."""
        who = Principal(tenant="acme", authenticator=authenticator)
        calls = [self.make(principal=who) for _ in range(count)]
        answers = await asyncio.gather(*map(self.ledger.open, calls), return_exceptions=True)
        pairs: Sequence[tuple[Call, Any]] = [*zip(calls, answers, strict=True)]
        refused = [answer.code for _, answer in pairs if isinstance(answer, QuotaExceeded)]
        let_in = [call for call, answer in pairs if answer is None]
        assert len(let_in) + len(refused) == count, answers
        return let_in, refused

    async def settle(self, calls: Sequence[Call]) -> None:
        for call in calls:
            outcome = Outcome(status="success", provider="mock", attempts=1, ended_at=call.received_at)
            outcome.charge = NANO
            self.ledger.settle(call, outcome)
        await self.ledger.write(())

    async def left(self) -> dict[str, int]:
        """What is left of each kind of grant, in credits, once what was spent is drawn from them."""
        await self.credit.book.grant("acme", 1, kind="paid", reference="dust", priority=100)
        async with self.subscription.context.database.connect() as connection:
            rows = await connection.execute(select(grants.c.kind, grants.c.remaining))
            return {row.kind: row.remaining // NANO for row in rows if row.remaining > 1}


@asynccontextmanager
async def both(
    database: Database, make: Callable[..., Call], *, subscription: dict[str, Any], credit: dict[str, Any]
) -> AsyncGenerator[Both]:
    context = Context(client=Client(), database=database)
    prices: Any = OneCredit()
    context.prices = prices
    credits_ = Credits("credits", CreditsConfig.model_validate(credit), context)
    plans = Subscription(
        "subscription", SubscriptionConfig.model_validate({"plans": PLANS, **subscription}), context
    )
    ledger = Ledger(database, billing=[*plans.register_billing(), *credits_.register_billing()])
    await ledger.start(migrations=[MIGRATIONS, CREDITS])
    await plans.startup()
    await plans.keeper.stop()  # the tests say when it works
    try:
        yield Both(ledger, plans, credits_, make)
    finally:
        await plans.shutdown()
        await context.changes.stop()
        await ledger.stop()


async def test_included_usage_and_credit_beyond_it_are_exact(
    database: Database, make_call: Callable[..., Call]
) -> None:
    async with both(database, make_call, subscription={}, credit={}) as shop:
        await shop.subscribe("more")  # 20 included, then charged
        await shop.credit.book.grant("acme", 5 * NANO, kind="paid", reference="order-1")
        let_in, refused = await shop.open(60)
        assert (len(let_in), {*refused}) == (25, {"insufficient_credit"})
        await shop.settle(let_in)
        assert len((await shop.open(5))[0]) == 0


async def test_components_need_a_subscription_and_users_credit(
    database: Database, make_call: Callable[..., Call]
) -> None:
    settings: dict[str, Any] = {
        "subscription": {"authenticators": ["component"]},
        "credit": {"except_authenticators": ["component"]},
    }
    async with both(database, make_call, **settings) as shop:
        assert (await shop.open(1, "component"))[1] == ["subscription_required"]
        assert (await shop.open(1, "session"))[1] == ["insufficient_credit"]
        await shop.subscribe("ten")  # 10 included, then refused
        components = await shop.open(15, "component")
        assert (len(components[0]), {*components[1]}) == (10, {"subscription_used_up"})
        await shop.settle(components[0])
        assert (await shop.open(1, "session"))[1] == [
            "insufficient_credit"
        ]  # what is included is the components'


@pytest.mark.parametrize(
    ("priority", "left"), [(0, {"promotional": 17, "paid": 5}), (100, {"promotional": 20, "paid": 2})]
)
async def test_the_config_says_which_is_spent_first(
    database: Database, make_call: Callable[..., Call], priority: int, left: dict[str, int]
) -> None:
    async with both(database, make_call, subscription={"priority": priority}, credit={}) as shop:
        await shop.credit.book.grant("acme", 5 * NANO, kind="paid", reference="order-1")
        await shop.subscribe("more")
        await shop.settle((await shop.open(3))[0])
        assert await shop.left() == left
