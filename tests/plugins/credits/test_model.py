"""Whatever happens in whichever order, the books say what a simple model says, and `verify` finds nothing."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from sqlalchemy import select

from gateway.errors import InvalidRequest, QuotaExceeded
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.calls import get_call
from gateway.store.price_adjustments import Correction, adjust
from gateway.testing.fakes import make_call
from gateway.types import Call, Outcome, Principal
from gateway_credits.account import Account
from gateway_credits.adjusting import Adjuster
from gateway_credits.book import Book
from gateway_credits.holding import Holding
from gateway_credits.plugin import MIGRATIONS
from gateway_credits.tables import accounts, grants
from gateway_credits.verify import verify

from ... import scratch

TESTS = Actor(kind="gateway", id="tests")
AMOUNTS = st.integers(1, 50)
ACCOUNTS = st.sampled_from([Account("one"), Account("two")])


class Prices:
    """Every call is expected to cost what was set last."""

    amount = 0

    def estimate(self, call: Call) -> int:
        del call
        return self.amount

    def use_plans(self, plan_of: object) -> None:
        """There are none."""


class Simple:
    """An account as one would keep it on paper: spending is taken from grants at once."""

    def __init__(self) -> None:
        self.grants: list[list[Any]] = []
        """Priority, expiry, when and in which order it was given, and what is left."""
        self.given: dict[Any, int] = {}
        """How much each grant was of; with the next, by when and in which order it was given."""
        self.expired: Counter[Any] = Counter()
        self.debt = 0
        self.held = 0

    @property
    def balance(self) -> int:
        return sum(grant[-1] for grant in self.grants) - self.debt

    @property
    def available(self) -> int:
        return self.balance - self.held

    def give(self, grant: list[Any]) -> None:
        self.grants.append(grant)
        self.given[grant[2]] = grant[-1]
        paid, self.debt = self.debt, 0
        self.spend(paid)

    def spend(self, amount: int) -> list[list[Any]]:
        """Take from the grants in their order; return what each gave, with its other properties."""
        given: list[list[Any]] = []
        for grant in sorted(self.grants):
            part = min(amount, grant[-1])
            if part:
                grant[-1] -= part
                amount -= part
                given.append([*grant[:-1], part])
        self.debt += amount
        return given

    def expire(self, now: float) -> None:
        for grant in sorted(self.grants, key=lambda each: (each[1], each[2])):
            if grant[1] <= now:
                part = min(grant[-1], max(0, self.available))
                grant[-1] -= part
                self.expired[grant[2]] += part

    def give_back(self, amount: int, received_at: float, ended_at: float) -> int:
        """Pay debts, then give back to what paid for a call, the last one first; return what came from nowhere."""
        paid = min(amount, self.debt)
        self.debt -= paid
        amount -= paid
        there = [each for each in sorted(self.grants) if each[2][0] <= ended_at and each[1] > received_at]
        lasted = [place for place, each in enumerate(there) if each[-1] or self.expired[each[2]]]
        for grant in reversed(there[: lasted[0] + 1] if lasted else there):
            part = min(amount, self.given[grant[2]] - grant[-1] - self.expired[grant[2]])
            grant[-1] += part
            amount -= part
        return amount

    def left(self) -> list[tuple[int, float, int]]:
        return sorted((grant[0], grant[1], grant[-1]) for grant in self.grants if grant[-1])


class Machine(RuleBasedStateMachine):
    """Two accounts, their calls, and time."""

    open_calls = Bundle("open_calls")
    charged = Bundle("charged")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.now = 1_000_000.0
        self.number = itertools.count()
        self.database = Database(scratch.sqlite(Path(self.folder.name), MIGRATIONS))
        self.book = Book(self.database, per="tenant", welcome=None, clock=lambda: self.now)
        self.accounts = {Account("one"): Simple(), Account("two"): Simple()}
        self.prices = Prices()
        self.costs: dict[str, int] = {}
        """What each settled call costs by now."""
        self.refunds: dict[str, int] = {}
        """What was given back of it."""
        self.charges: dict[str, int] = {}
        """What it was charged when it was settled."""
        self.holding = self.new_holding()
        self.ledger = Ledger(self.database, billing=[self.holding])
        self.run(self.ledger.start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def new_holding(self) -> Holding:
        holding = Holding(per="tenant", floor=0, largest_hold=None, unpriced_hold=0, lease=3600)
        holding.prices = self.prices
        return holding

    def teardown(self) -> None:
        assert self.run(self.problems()) == []
        self.run(self.ledger.stop())
        self.run(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    @initialize(amounts=st.tuples(st.integers(0, 300), st.integers(0, 300)))
    def begin(self, amounts: tuple[int, int]) -> None:
        """Most accounts can pay for some calls: of refusals alone, nothing would follow."""
        for account, amount in zip(self.accounts, amounts, strict=True):
            if amount:
                self.grant(account, amount, 1, None)

    @rule(account=ACCOUNTS, amount=AMOUNTS, priority=st.integers(0, 2), lasts=st.none() | st.integers(1, 5))
    def grant(self, account: Account, amount: int, priority: int, lasts: int | None) -> None:
        expires_at = None if lasts is None else self.now + lasts
        reference = f"r{next(self.number)}"
        for again in (False, True):
            done = self.run(
                self.book.grant(
                    account.tenant,
                    amount,
                    kind="paid",
                    reference=reference,
                    expires_at=expires_at,
                    priority=priority,
                )
            )
            assert done is not again
        order = expires_at or float("inf")
        self.accounts[account].expire(self.now)
        self.accounts[account].give([priority, order, (self.now, next(self.number)), amount])

    @rule(target=open_calls, account=ACCOUNTS, amount=st.integers(0, 60))
    def open_call(self, account: Account, amount: int) -> Any:
        simple = self.accounts[account]
        self.prices.amount = amount
        who = Principal(tenant=account.tenant, authenticator="test")
        call = replace(make_call(principal=who), received_at=self.now)
        try:
            self.run(self.ledger.open(call))
        except QuotaExceeded:
            assert simple.available < amount
            self.holding.finished(call, Outcome())
            return multiple()  # pyright: ignore[reportUnknownVariableType] - it has no results
        assert simple.available >= amount or amount == 0
        simple.held += amount
        return account, call, amount

    @rule(
        target=charged,
        opened=consumes(open_calls),
        charge=st.none() | st.integers(0, 80),
        twice=st.booleans(),
    )
    def settle(self, opened: Any, charge: int | None, twice: bool) -> Any:
        account, call, held = opened
        for _ in range(1 + twice):
            self.ledger.settle(call, Outcome(status="success", ended_at=self.now, charge=charge))
        self.run(self.flush())
        self.accounts[account].held -= held
        self.accounts[account].spend(charge or 0)
        self.costs[call.id] = self.charges[call.id] = charge or 0
        return account, call

    @rule(target=charged, account=ACCOUNTS, charge=st.integers(1, 80))
    def call(self, account: Account, charge: int) -> Any:
        """A whole call, for which nothing needs to be held."""
        return self.settle(self.open_call(account, 0), charge, False)

    @rule(opened=consumes(open_calls))
    def abandon(self, opened: Any) -> None:
        """The worker dies with the call; another one, which knows of no hold, settles it."""
        account, call, held = opened
        self.holding._held.clear()
        self.ledger.settle(call, Outcome(status="failed", ended_at=self.now, error_code="abandoned"))
        self.run(self.flush())
        self.accounts[account].held -= held

    @rule(call=charged, part=st.none() | st.integers(1, 80))
    def refund(self, call: Any, part: int | None) -> None:
        account, made = call
        charge, before = self.costs[made.id], self.refunds.get(made.id)
        asked = self.book.refund(account.tenant, made.id, part, actor=TESTS)
        if before is not None:
            assert self.run(asked) == 0
            return
        if not charge or (part or 0) > charge:
            with pytest.raises(InvalidRequest):
                self.run(asked)
            return
        back = part or charge
        assert self.run(asked) == back
        assert self.run(self.book.refund(account.tenant, made.id, actor=TESTS)) == 0
        self.refunds[made.id] = back
        self.accounts[account].expire(self.now)
        self.accounts[account].give([50, float("inf"), (self.now, next(self.number)), back])

    @rule(call=charged, cost=st.integers(0, 80))
    def price_again(self, call: Any, cost: int) -> None:
        """The call costs something else now, which is told twice."""
        account, made = call
        row = self.run(get_call(self.database, made.id))
        if row.ended_at < self.run(self.opened_at(account)):
            return  # of before its account was there: it stays out, as its charge does
        difference = cost - self.charges[made.id]
        wanted = [Correction(row=row, cost=0, charge=difference, price_version=None, selling=None)]
        paid, self.costs[made.id] = self.paid(made), cost
        more = self.paid(made) - paid
        for _ in range(2):
            books = [Adjuster("tenant")]
            self.run(adjust(self.database, wanted, reason="again", actor=TESTS, books=books))
        self.accounts[account].spend(max(0, more))
        if more < 0 and (rest := self.accounts[account].give_back(-more, made.received_at, row.ended_at)):
            created_at = time.time()  # adjustments know no other clock
            self.accounts[account].give([50, float("inf"), (created_at, next(self.number)), rest])

    def paid(self, call: Call) -> int:
        """What a call costs beyond its refund; nobody is paid for calling."""
        return max(0, self.costs[call.id] - self.refunds.get(call.id, 0))

    async def opened_at(self, account: Account) -> float:
        query = select(accounts.c.created_at).where(accounts.c.tenant == account.tenant)
        async with self.database.connect() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or float("inf")

    @rule(source=ACCOUNTS, amount=AMOUNTS)
    def transfer(self, source: Account, amount: int) -> None:
        (to,) = set(self.accounts) - {source}
        for account in (source, to):
            self.accounts[account].expire(self.now)
        moved = self.book.transfer(source, to, amount, reference=None, actor=TESTS)
        if self.accounts[source].available < amount:
            try:
                self.run(moved)
            except QuotaExceeded:
                return
            raise AssertionError("what is not there was moved")
        assert self.run(moved)
        for grant in self.accounts[source].spend(amount):
            priority, expires_at, (created_at, _), part = grant
            self.accounts[to].give([priority, expires_at, (created_at, next(self.number)), part])

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        for account, simple in self.accounts.items():
            self.run(self.book.balance(account))
            simple.expire(self.now)

    @invariant()
    def agrees(self) -> None:
        self.run(self.compare())

    async def compare(self) -> None:
        for account, simple in self.accounts.items():
            simple.expire(self.now)
            found = await self.book.balance(account)
            assert (found.balance, found.held) == (simple.balance, simple.held)
            async with self.database.connect() as connection:
                query = select(grants).where(grants.c.tenant == account.tenant, grants.c.remaining > 0)
                rows = (await connection.execute(query)).all()
            left = sorted((row.priority, row.expires_at or float("inf"), row.remaining) for row in rows)
            assert left == simple.left()

    async def problems(self) -> list[str]:
        return [problem async for problem in verify(self.database)]

    async def flush(self) -> None:
        await self.ledger.write(())


def test_the_books_agree_with_the_model() -> None:
    few = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(Machine, settings=few)
