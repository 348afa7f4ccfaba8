"""What pricing again adds to calls is booked with the adjustments, once, or not at all; and sinks hear of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import InvalidRequest
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.calls import get_call
from gateway.store.notices import list_notices
from gateway.store.price_adjustments import Adjustment, Correction, adjust, adjustments_of
from gateway.store.tables import model_calls
from gateway.testing.fakes import make_call
from gateway.types import Call, Outcome, Principal
from gateway_credits.account import Account
from gateway_credits.adjusting import Adjuster
from gateway_credits.book import Book
from gateway_credits.holding import Holding
from gateway_credits.tables import grants, journal
from gateway_credits.verify import verify

TESTS = Actor(kind="gateway", id="tests")


class Ten:
    """Every call is expected to cost 10."""

    def estimate(self, call: Call) -> int:
        del call
        return 10

    def use_plans(self, plan_of: object) -> None:
        """There are none."""


class Dies(Adjuster):
    """Is killed after it has booked."""

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        await super().on_adjust(connection, adjustments)
        raise KeyboardInterrupt


class Till:
    """A ledger whose calls users pay for, each from an account of their own."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database = database
        self.ledger = ledger
        self.book = Book(database, per="user", welcome=None)

    async def call(self, charge: int, user: str = "ann") -> str:
        call = make_call(principal=Principal(tenant="acme", authenticator="test", user=user))
        await self.ledger.open(call)
        self.ledger.settle(call, Outcome(status="success", ended_at=time.time(), charge=charge))
        await self.ledger.write(())
        return call.id

    async def adjust(self, *changes: tuple[str, int], by: Adjuster | None = None) -> int:
        """Let calls cost so much more than they were charged; return how many adjustments that took."""
        corrections = [
            Correction(
                row=await get_call(self.database, call), cost=0, charge=more, price_version=None, selling=None
            )
            for call, more in changes
        ]
        made = await adjust(
            self.database, corrections, reason="again", actor=TESTS, books=[by or Adjuster("user")]
        )
        return len(made)

    async def balance(self, user: str = "ann") -> int:
        return (await self.book.balance(Account("acme", user))).balance

    async def grants(self) -> list[tuple[str, int, int]]:
        """What `ann` has left of each kind and priority."""
        await self.balance()
        async with self.database.connect() as connection:
            rows = await connection.execute(
                select(grants).where(grants.c.owner == "ann", grants.c.remaining > 0)
            )
            return sorted((row.kind, row.priority, row.remaining) for row in rows)

    async def problems(self) -> list[str]:
        return [problem async for problem in verify(self.database)]


@pytest.fixture
async def till(database: Database) -> AsyncIterator[Till]:
    holding = Holding(per="user", floor=0, largest_hold=None, unpriced_hold=0, lease=3600)
    holding.prices = Ten()
    ledger = Ledger(database, billing=[holding])
    await ledger.start()
    till = Till(database, ledger)
    for user in ("ann", "bob"):
        await till.book.grant("acme", 100, kind="promotional", reference=user, user=user)
    yield till
    await ledger.stop()


async def test_what_costs_more_is_taken_and_what_costs_less_given_back(till: Till) -> None:
    calls = [await till.call(6), await till.call(8), await till.call(0), await till.call(5, "bob")]
    assert await till.balance() == 86
    changes = [(calls[0], 4), (calls[1], -3), (calls[2], 7), (calls[3], -5)]
    assert await till.adjust(*changes) == 4
    assert (await till.balance(), await till.balance("bob")) == (78, 100)
    assert await till.adjust(*changes) == 0
    assert await till.adjust((calls[0], 0)) == 1
    assert (await till.balance(), await till.balance("bob")) == (82, 100)
    assert await till.adjust((calls[1], 200)) == 1
    assert await till.balance() == -121
    assert await till.problems() == []
    told = await list_notices(till.database, "acme", after=None, limit=20)
    assert sorted((each.kind, each.data["call"], each.data["charge_nano"]) for each in told) == sorted(
        ("adjustment", *change) for change in (*changes, (calls[0], -4), (calls[1], 203))
    )


async def test_what_is_given_back_is_of_the_kind_that_was_spent(till: Till) -> None:
    """`ann` has 100 of promotional credit, and then a hundred that she paid for, which is spent afterwards."""
    await till.book.grant("acme", 100, kind="paid", reference="pack", user="ann", priority=60)
    first, second = await till.call(70), await till.call(20)
    await till.adjust((first, -50))
    assert await till.grants() == [("paid", 60, 100), ("promotional", 50, 60)]
    third = await till.call(80)
    assert await till.adjust((second, -5), (third, -70)) == 2
    assert await till.grants() == [("paid", 60, 100), ("promotional", 50, 55)]
    assert await till.balance() == 155
    assert await till.problems() == []


async def test_what_is_given_back_to_a_grant_past_its_time_expires_with_it(till: Till) -> None:
    soon = time.time() + 1.5
    await till.book.grant(
        "acme", 40, kind="promotional", reference="month", user="ann", priority=0, expires_at=soon
    )
    call = await till.call(30)
    while (await till.balance()) > 100:
        await asyncio.sleep(0.05)
    await till.call(10)
    await till.adjust((call, -20))
    assert await till.balance() == 90
    assert await till.grants() == [("promotional", 50, 90)]
    assert await till.problems() == []


async def test_a_debt_is_paid_before_anything_is_given_back(till: Till) -> None:
    call = await till.call(130)
    assert await till.balance() == -30
    await till.adjust((call, -50))
    assert (await till.balance(), await till.grants()) == (20, [("promotional", 50, 20)])
    assert await till.problems() == []


async def test_killed_in_the_middle_nothing_is_done_and_it_may_begin_again(till: Till) -> None:
    call = await till.call(6)
    with pytest.raises(KeyboardInterrupt):
        await till.adjust((call, 4), by=Dies("user"))
    assert await adjustments_of(till.database, call) == []
    assert await list_notices(till.database, "acme", after=None, limit=9) == []
    assert await till.balance() == 94
    await asyncio.gather(*(till.adjust((call, 4)) for _ in range(3)))
    assert await till.balance() == 90
    assert await till.problems() == []


async def test_no_more_is_refunded_than_the_call_costs_now(till: Till) -> None:
    call = await till.call(10)
    await till.adjust((call, -7))
    with pytest.raises(InvalidRequest, match="not more"):
        await till.book.refund("acme", call, 4, actor=TESTS)
    assert await till.book.refund("acme", call, actor=TESTS) == 3
    assert await till.balance() == 100
    assert await till.problems() == []
    (refund,) = [
        each
        for each in await list_notices(till.database, "acme", after=None, limit=9)
        if each.kind == "refund"
    ]
    assert (refund.user, refund.data["call"], refund.data["amount_nano"]) == ("ann", call, 3)


@pytest.mark.parametrize(
    ("refund", "priced", "paid"),
    [
        (None, [4], [0]),
        (None, [4, 15, 10], [0, 5, 0]),
        (3, [5, 2, 10, 0], [2, 0, 7, 0]),
        (8, [12, 8, 7], [4, 0, 0]),
    ],
)
async def test_what_was_refunded_is_not_given_back_again(
    till: Till, refund: int | None, priced: list[int], paid: list[int]
) -> None:
    call = await till.call(10)
    assert await till.book.refund("acme", call, refund, actor=TESTS) == (refund or 10)
    for cost, left in zip(priced, paid, strict=True):
        assert await till.adjust((call, cost - 10)) == 1
        assert await till.balance() == 100 - left
        assert await till.problems() == []
    assert await till.book.refund("acme", call, actor=TESTS) == 0


async def test_refunded_and_priced_again_at_once_gives_nothing_twice(till: Till) -> None:
    calls = [await till.call(10) for _ in range(6)]
    refunds = (till.book.refund("acme", call, actor=TESTS) for call in calls)
    cheaper = (till.adjust((call, -6)) for call in calls)
    await asyncio.gather(*refunds, *cheaper)
    assert await till.balance() == 100
    assert await till.problems() == []


async def test_what_was_charged_by_a_repricing_alone_can_be_refunded(till: Till) -> None:
    call = await till.call(0)
    await till.adjust((call, 7))
    assert await till.book.refund("acme", call, actor=TESTS) == 7
    assert await till.balance() == 100
    assert await till.problems() == []


async def test_calls_that_are_paid_in_another_way_are_left_alone(till: Till) -> None:
    theirs, ours = await till.call(10), await till.call(10)
    async with till.database.begin() as connection:
        for call, name in ((theirs, "component"), (ours, "apikey")):
            which = update(model_calls).where(model_calls.c.id == call)
            await connection.execute(which.values(authenticator=name))
    assert await till.adjust((theirs, 5), (ours, 5), by=Adjuster("user", {"component"})) == 2
    assert await till.balance() == 75
    found = [problem async for problem in verify(till.database, free={"component"})]
    assert found == [f"call {theirs} was charged 0, but 0.00000001 captured"]


class Forgets(Adjuster):
    """Books adjustments as they are, whatever was refunded."""

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        renamed = update(journal).where(journal.c.kind == "refund")
        await connection.execute(renamed.values(kind="hidden"))
        await super().on_adjust(connection, adjustments)
        back = update(journal).where(journal.c.kind == "hidden")
        await connection.execute(back.values(kind="refund"))


async def test_verify_finds_what_was_given_back_twice(till: Till) -> None:
    call = await till.call(10)
    await till.book.refund("acme", call, actor=TESTS)
    await till.adjust((call, -6), by=Forgets("user"))
    assert await till.balance() == 106
    nano = "0.00000000"
    assert await till.problems() == [
        f"call {call} costs {nano}4 and 0.00000001 were refunded, but -{nano}6 are paid"
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_verify_finds_what_was_adjusted_otherwise(till: Till) -> None:
    call = await till.call(10)
    await till.adjust((call, 5))
    async with till.database.begin() as connection:
        adjusting = journal.c.kind == "adjustment"
        (before,) = (await connection.execute(select(journal.c.reference).where(adjusting))).scalars()
        await connection.execute(update(journal).where(adjusting).values(reference="call_none#1"))
    found = await till.problems()
    assert before == f"{call}#1"
    assert [problem.partition(" of ")[0] for problem in found if "adjustment 1" in problem] == [
        "adjustment 1"
    ]
    assert any("books an adjustment that there is not" in problem for problem in found)
