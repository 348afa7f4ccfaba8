"""A ledger that keeps budgets, with prices that a test sets, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import QuotaExceeded
from gateway.ledger import Ledger
from gateway.plugin import Context
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.memberships import add_member
from gateway.store.users import create_user
from gateway.types import NANO, Call, Outcome, Target
from gateway.upstream import Client
from gateway_budgets import Budgets
from gateway_budgets.config import BudgetsConfig
from gateway_budgets.holding import Holding
from gateway_budgets.plugin import MIGRATIONS
from gateway_budgets.rows import Budget, NewBudget, create_budget
from gateway_budgets.tables import lines, spending

from ... import scratch
from ...gateway.conftest import make_call, make_outcome

__all__ = ["make_call", "make_outcome"]

ACTOR = Actor(kind="command", id="test")


class FixedPrices:
    """Every call is likely to be charged so much."""

    def use_plans(self, plan_of: object) -> None:
        del plan_of

    def __init__(self) -> None:
        self.nano: int | None = NANO

    def estimate(self, call: Call) -> int | None:
        del call
        return self.nano


def _targets(call: Call) -> Sequence[Target]:
    """`fast` alone is a name for two models."""
    provider, _, model = call.model.rpartition("/")
    return [Target(each, model) for each in ([provider] if provider else ["mock", "other"])]


class Till:
    """A running plugin, and a ledger that it bills for."""

    def __init__(self, plugin: Budgets, ledger: Ledger, make_call: Callable[..., Call]) -> None:
        self.plugin = plugin
        self.database = plugin.context.database
        self.ledger = ledger
        self.make_call = make_call
        self.holding: Any = plugin.register_billing()[0]

    async def set(self, amount: float, **what: Any) -> Budget:
        """Set a budget of so many credits, and wait until the plugin knows it."""
        values: dict[str, Any] = {"tenant": "acme", "scope": "tenant", "period": "month", **what}
        new = NewBudget(**values, amount=int(amount * NANO))
        row = await create_budget(self.database, new, actor=ACTOR)
        await self.plugin.context.changes.look()
        return row

    async def member(self, tenant: str) -> str:
        """Make a user who is a member of a tenant."""
        async with self.database.begin() as connection:
            user = await create_user(connection, name="Somebody", revision=1)
            await add_member(connection, tenant, user.id, "member", revision=1)
        return user.id

    async def open(self, count: int = 1, **changes: Any) -> tuple[list[Call], list[QuotaExceeded]]:
        """Open so many calls at once: those that were let in, and the refusals."""
        calls = [self.make_call(**changes) for _ in range(count)]
        answers = await asyncio.gather(*map(self.ledger.open, calls), return_exceptions=True)
        refusals = [answer for answer in answers if isinstance(answer, QuotaExceeded)]
        let_in = [call for call, answer in zip(calls, answers, strict=True) if answer is None]
        assert len(let_in) + len(refusals) == count, answers
        for call in calls:
            if call not in let_in:
                self.holding.finished(call, Outcome(status="failed"))
        return let_in, refusals

    async def settle(self, *calls: Call, charge: int | None = NANO) -> None:
        """End calls, and wait until that is written."""
        for call in calls:
            outcome = Outcome(status="success", provider="mock", attempts=1, ended_at=call.received_at)
            outcome.upstream_model = "fast"
            outcome.charge = charge
            self.ledger.settle(call, outcome)
        await self.ledger.write(())

    async def counted(self) -> dict[str, tuple[int, int]]:
        """What is spent and reserved, by budget."""
        async with self.database.connect() as connection:
            rows = await connection.execute(select(spending))
            return {row.budget: (row.spent, row.reserved) for row in rows}

    async def reserved(self) -> int:
        """How many reservations there are."""
        async with self.database.connect() as connection:
            return len((await connection.execute(select(lines))).all())


@pytest.fixture(params=scratch.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind, with the plugin's tables."""
    with scratch.database(request.param, tmp_path, MIGRATIONS) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """The same, opened."""
    database = Database(database_url)
    yield database
    await database.close()


@asynccontextmanager
async def running(
    database: Database, prices: FixedPrices, make_call: Callable[..., Call], **config: Any
) -> AsyncGenerator[Till]:
    """Start the plugin, and a ledger that it bills for."""
    context = Context(client=Client(), database=database)
    context.prices = prices
    context.targets = _targets
    plugin = Budgets("budgets", BudgetsConfig(**config), context)
    billing: Sequence[Any] = plugin.register_billing()
    assert isinstance(billing[0], Holding)
    ledger = Ledger(database, billing=billing)
    await ledger.start(migrations=[MIGRATIONS])
    await plugin.startup()
    try:
        yield Till(plugin, ledger, make_call)
    finally:
        await plugin.shutdown()
        await context.changes.stop()
        await ledger.stop()


@pytest.fixture
def prices() -> FixedPrices:
    return FixedPrices()


@pytest.fixture
async def till(
    database: Database, prices: FixedPrices, make_call: Callable[..., Call]
) -> AsyncGenerator[Till]:
    async with running(database, prices, make_call) as till:
        yield till


@pytest.fixture
async def sqlite_till(
    tmp_path: Path, prices: FixedPrices, make_call: Callable[..., Call]
) -> AsyncGenerator[Till]:
    """On SQLite alone, for what PostgreSQL does no differently; a euro is worth two credits."""
    database = Database(scratch.sqlite(tmp_path, MIGRATIONS))
    async with running(database, prices, make_call, currencies={"EUR": 2}) as till:
        yield till
    await database.close()
