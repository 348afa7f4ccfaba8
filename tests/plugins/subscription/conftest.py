"""A ledger that asks for subscriptions, with prices that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import QuotaExceeded
from gateway.ledger import Ledger
from gateway.plugin import Context
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.tenants import create_tenant
from gateway.types import NANO, Call, Outcome
from gateway.upstream import Client
from gateway_subscription import Subscription
from gateway_subscription.config import SubscriptionConfig
from gateway_subscription.plugin import MIGRATIONS

from ... import scratch
from ...gateway.conftest import make_call, make_outcome

__all__ = ["make_call", "make_outcome"]

ACTOR = Actor(kind="command", id="test")
PLANS = {
    "ten": {"name": "Ten", "price": "5", "included": "10", "limits": {"concurrent": 3}},
    "more": {"name": "More", "price": "50", "included": "20", "overage": "charge", "models": ["mock/*"]},
}


class OneCredit:
    """Every call is likely to be charged one credit."""

    plan_of: Any = None

    def estimate(self, call: Call) -> int | None:
        del call
        return NANO

    def use_plans(self, plan_of: Callable[[str], str | None]) -> None:
        self.plan_of = plan_of


class Grants:
    """Prepaid credits that note what is given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int, str, float | None]] = []

    async def grant(self, tenant: str, amount: int, **how: Any) -> bool:
        self.given.append((tenant, amount, how["reference"], how["expires_at"]))
        return True

    async def take_back(self, *_: Any, **__: Any) -> bool:
        raise NotImplementedError


class Shop:
    """A running plugin, and a ledger that it bills for."""

    def __init__(self, plugin: Subscription, ledger: Ledger, make_call: Callable[..., Call]) -> None:
        self.plugin = plugin
        self.plans = plugin.plans
        self.database = plugin.context.database
        self.ledger = ledger
        self.make_call = make_call
        self.holding: Any = plugin._holding
        self.prices: Any = plugin.context.prices

    async def look(self) -> None:
        await self.plugin.context.changes.look()

    async def open(self, count: int = 1, **changes: Any) -> tuple[list[Call], list[QuotaExceeded]]:
        """Open so many calls at once: those that were let in, and the refusals."""
        calls = [self.make_call(**changes) for _ in range(count)]
        answers = await asyncio.gather(*map(self.ledger.open, calls), return_exceptions=True)
        let_in = [call for call, answer in zip(calls, answers, strict=True) if answer is None]
        refusals = [answer for answer in answers if isinstance(answer, QuotaExceeded)]
        assert len(let_in) + len(refusals) == count, answers
        for call in calls:
            if call not in let_in:
                self.holding.finished(call, Outcome(status="failed"))
        return let_in, refusals

    async def settle(self, *calls: Call, charge: int = NANO) -> None:
        """End calls, and wait until that is written."""
        for call in calls:
            outcome = Outcome(status="success", provider="mock", attempts=1, ended_at=call.received_at)
            outcome.charge = charge
            self.ledger.settle(call, outcome)
        await self.ledger.write(())


@pytest.fixture(params=scratch.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind, with the plugin's tables."""
    with scratch.database(request.param, tmp_path, MIGRATIONS) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """The same, opened, with a tenant."""
    database = Database(database_url)
    await create_tenant(database, "acme", actor=ACTOR)
    yield database
    await database.close()


@asynccontextmanager
async def running(
    database: Database, make_call: Callable[..., Call], *, credit: Grants | None = None, **config: Any
) -> AsyncGenerator[Shop]:
    """Start the plugin, and a ledger that it bills for."""
    context = Context(client=Client(), database=database)
    context.prices, context.credits = OneCredit(), credit
    settings = SubscriptionConfig.model_validate({"plans": PLANS, **config})
    plugin = Subscription("subscription", settings, context)
    ledger = Ledger(database, billing=plugin.register_billing())
    await ledger.start(migrations=[MIGRATIONS])
    await plugin.startup()
    await plugin.keeper.stop()  # the tests say when it works
    try:
        yield Shop(plugin, ledger, make_call)
    finally:
        await plugin.shutdown()
        await context.changes.stop()
        await ledger.stop()


@pytest.fixture
async def shop(tmp_path: Path, make_call: Callable[..., Call]) -> AsyncGenerator[Shop]:
    """On SQLite alone, for what PostgreSQL does no differently."""
    database = Database(scratch.sqlite(tmp_path, MIGRATIONS))
    await create_tenant(database, "acme", actor=ACTOR)
    async with running(database, make_call, exempt=["operator"]) as shop:
        yield shop
    await database.close()
