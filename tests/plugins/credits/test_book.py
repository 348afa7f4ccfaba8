"""Giving, taking back, refunding and moving credit on both databases; and that `verify` finds what is wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import pytest
from sqlalchemy import Insert, func, insert, select, update

from gateway.errors import InvalidRequest, QuotaExceeded
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.identity_tables import audit_log
from gateway.store.notices import list_notices
from gateway.store.tables import model_calls
from gateway.testing.fakes import make_call
from gateway.types import Call, Outcome, Principal
from gateway_credits.account import Account, nano_of, shown
from gateway_credits.book import Book
from gateway_credits.holding import Holding
from gateway_credits.keeper import Keeper
from gateway_credits.tables import balances, grants, holds, journal
from gateway_credits.verify import verify

TESTS = Actor(kind="gateway", id="tests")
ACME, OTHER = Account("acme"), Account("other")


class Ten:
    """Every call is expected to cost 10."""

    def estimate(self, call: Call) -> int:
        del call
        return 10

    def use_plans(self, plan_of: object) -> None:
        """There are none."""


@pytest.fixture
def book(database: Database) -> Book:
    return Book(database, per="tenant", welcome=None)


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    holding = Holding(per="tenant", floor=0, largest_hold=None, unpriced_hold=0, lease=3600)
    holding.prices = Ten()
    ledger = Ledger(database, billing=[holding])
    await ledger.start()
    yield ledger
    await ledger.stop()


def a_call(tenant: str = "acme") -> Call:
    return make_call(principal=Principal(tenant=tenant, authenticator="test"))


async def made(ledger: Ledger, charge: int | None, tenant: str = "acme") -> Call:
    call = a_call(tenant)
    await ledger.open(call)
    ledger.settle(call, Outcome(status="success", ended_at=time.time(), charge=charge))
    await ledger.write(())
    return call


def _row(id: str, **other: object) -> Insert:
    row = {"tenant": "acme", "owner": "", "at": 1.0, "id": id, "kind": "grant", "amount": 1}
    return insert(journal).values({**row, "other_owner": "paid", **other})


def _again() -> Insert:
    names = [column.name for column in journal.c if column.name not in ("at", "reference")]
    same = select(*(journal.c[name] for name in names), journal.c.at + 1)
    return insert(journal).from_select([*names, "at"], same.where(journal.c.kind == "capture"))


async def problems(database: Database) -> list[str]:
    return [problem async for problem in verify(database)]


async def test_a_reference_is_booked_once_however_many_try(book: Book, database: Database) -> None:
    async def grant(tenant: str = "acme", amount: int = 7) -> bool:
        return await book.grant(tenant, amount, kind="paid", reference="order-1")

    assert sorted(await asyncio.gather(*(grant() for _ in range(6)))) == [False] * 5 + [True]
    for wrong in (grant(amount=8), grant("other")):
        with pytest.raises(InvalidRequest, match="another booking"):
            await wrong
    assert (await book.balance(ACME)).balance == 7
    async with database.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(audit_log)) == 1
    assert await problems(database) == []


async def test_what_was_spent_of_a_grant_is_a_debt_when_it_is_taken_back(
    book: Book, ledger: Ledger, database: Database
) -> None:
    await book.grant("acme", 10, kind="paid", reference="order-1")
    await made(ledger, 6)
    with pytest.raises(InvalidRequest, match="granted nothing"):
        await book.take_back("other", 10, grant="order-1", reference="refund-1")
    with pytest.raises(InvalidRequest, match="more cannot"):
        await book.take_back("acme", 11, grant="order-1", reference="refund-1")
    assert await book.take_back("acme", 10, grant="order-1", reference="refund-1")
    assert not await book.take_back("acme", 10, grant="order-1", reference="refund-1")
    assert (await book.balance(ACME)).balance == -6
    with pytest.raises(QuotaExceeded):
        await ledger.open(a_call())
    await book.grant("acme", 10, kind="paid", reference="order-2")
    assert (await book.balance(ACME)).balance == 4
    assert await problems(database) == []


async def test_a_call_is_refunded_once_and_never_for_more(
    book: Book, ledger: Ledger, database: Database
) -> None:
    await book.grant("acme", 10, kind="paid", reference="order-1")
    call, free = await made(ledger, 6), a_call()
    with pytest.raises(InvalidRequest, match="not more"):
        await book.refund("acme", call.id, 7, actor=TESTS)
    for tenant, number in (("other", call.id), ("acme", free.id)):
        with pytest.raises(InvalidRequest, match="No call"):
            await book.refund(tenant, number, actor=TESTS)
    done = await asyncio.gather(*(book.refund("acme", call.id, 4, actor=TESTS) for _ in range(4)))
    assert sorted(done) == [0, 0, 0, 4]
    assert (await book.balance(ACME)).balance == 8
    assert await problems(database) == []


async def test_a_reference_of_a_transfer_is_for_whom_it_went_to(book: Book, database: Database) -> None:
    await book.grant("acme", 20, kind="paid", reference="bought")

    async def move(to: Account) -> bool:
        return await book.transfer(ACME, to, 3, reference="gift-1", actor=TESTS)

    assert [await move(OTHER), await move(OTHER)] == [True, False]
    with pytest.raises(InvalidRequest, match="another booking"):
        await move(Account("third"))
    assert (await book.balance(ACME)).balance == 17
    assert await problems(database) == []


async def test_transfers_both_ways_at_once_lose_nothing(book: Book, database: Database) -> None:
    for tenant in ("acme", "other"):
        await book.grant(tenant, 20, kind="promotional", reference=tenant)

    async def move(source: Account, to: Account, amount: int) -> None:
        await book.transfer(source, to, amount, reference=None, actor=TESTS)

    await asyncio.gather(*(move(*pair, 3) for pair in [(ACME, OTHER), (OTHER, ACME)] * 4))
    with pytest.raises(QuotaExceeded, match="acme has only"):
        await move(ACME, OTHER, 21)
    with pytest.raises(InvalidRequest, match="to itself"):
        await move(ACME, ACME, 1)
    assert [(await book.balance(each)).balance for each in (ACME, OTHER)] == [20, 20]
    assert await problems(database) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_calls_hold_does_not_expire_under_them(ledger: Ledger, database: Database) -> None:
    now = time.time()
    book = Book(database, per="tenant", welcome=None, clock=lambda: now)
    await book.grant("acme", 15, kind="promotional", reference="a", expires_at=now + 60, priority=0)
    call = a_call()
    await ledger.open(call)
    now += 61
    assert (await book.balance(ACME)) == await book.balance(ACME)
    assert (await book.balance(ACME)).balance == 10
    ledger.settle(call, Outcome(status="success", ended_at=now, charge=4))
    await ledger.write(())
    assert (await book.balance(ACME)).balance == 0
    assert await problems(database) == []


async def test_a_low_balance_that_nobody_told_of_is_found_and_told_once(
    book: Book, ledger: Ledger, database: Database
) -> None:
    await book.grant("acme", 10, kind="paid", reference="a")
    await book.grant("other", 90, kind="paid", reference="b")
    await made(ledger, 10)  # and its worker is killed before it tells

    def keeper() -> Keeper:
        log = logging.getLogger("test")
        return Keeper(book, touched=set(), low=5, floor=0, pause=9, log=log)

    for one in (keeper(), keeper()):
        await one.look_around()
        await one.tell()
    (told,) = await list_notices(database, "acme", after=None, limit=9)
    assert (told.kind, told.user, told.data["level"]) == ("balance", None, "exhausted")
    assert await list_notices(database, "other", after=None, limit=9) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_that_is_written_after_the_keeper_has_looked_is_told_of(
    book: Book, ledger: Ledger, database: Database
) -> None:
    await book.grant("acme", 10, kind="paid", reference="a")
    keeper = Keeper(book, touched={ACME}, low=5, floor=0, pause=9, log=logging.getLogger("test"))
    await keeper.tell()
    assert await list_notices(database, "acme", after=None, limit=9) == []
    await made(ledger, 10)
    for _ in range(2):
        await keeper.tell()
    (told,) = await list_notices(database, "acme", after=None, limit=9)
    assert told.data["level"] == "exhausted"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_forgotten_hold_is_let_go(book: Book, ledger: Ledger, database: Database) -> None:
    await book.grant("acme", 30, kind="paid", reference="a")
    running, forgotten = a_call(), a_call()
    for call in (running, forgotten):
        await ledger.open(call)
    async with database.begin() as connection:
        gone = update(model_calls).where(model_calls.c.id == forgotten.id)
        await connection.execute(gone.values(status="failed", ended_at=1.0))

    def keeper(later: float) -> Keeper:
        log = logging.getLogger("test")
        clock: Callable[[], float] = lambda: time.time() + later  # noqa: E731
        return Keeper(book, touched=set(), low=0, floor=0, pause=9, log=log, clock=clock)

    await keeper(0).reap()
    assert (await book.balance(ACME)).held == 20
    late = keeper(3700)
    await late.reap()
    assert (await book.balance(ACME)).held == 10
    ledger.settle(running, Outcome(status="success", ended_at=time.time(), charge=1))
    await ledger.write(())
    await keeper(200_000).reap()
    async with database.connect() as connection:
        assert (await connection.execute(select(holds))).all() == []
    assert await problems(database) == []
    assert await late.lead()
    assert not await keeper(0).lead()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (_row("x", amount=0), "transaction x is not between two proper sides"),
        (_row("x", other_owner="revenue"), "transaction x is not between two proper sides"),
        (_row("x", other_tenant="other", other_owner=""), "transaction x is not between two proper sides"),
        (_row("x", kind="transfer"), "transaction x is not between two proper sides"),
        (
            _row("x", kind="transfer", other_tenant="acme", other_owner=""),
            "transaction x is not between two proper sides",
        ),
        (_row("x", tenant=""), "transaction x is not between two proper sides"),
        (_again(), "is in the journal more than once"),
        (_row("x"), "account acme has a balance of 0.000000004, but the journal sums to 0.000000005"),
        (
            update(journal).where(journal.c.kind == "capture").values(amount=-5),
            "account acme has a balance of 0.000000004, but the journal sums to 0.000000005",
        ),
        (
            _row("x", kind="transfer", other_tenant="other", other_owner=""),
            "account acme has a balance of 0.000000004, but the journal sums to 0.000000005",
        ),
        (update(balances).values(balance=balances.c.balance + 1), "account acme has a balance of"),
        (update(balances).values(held=1), "account acme holds"),
        (update(grants).values(remaining=3), "but grants have"),
        (update(model_calls).values(charge=7), "was charged 0.000000007, but 0.000000006 captured"),
        (update(model_calls).values(status="processing"), "was captured, but is not settled"),
    ],
)
async def test_verify_finds_what_is_wrong(
    book: Book, ledger: Ledger, database: Database, harm: object, told: str
) -> None:
    await book.grant("acme", 10, kind="paid", reference="order-1")
    await made(ledger, 6)
    assert await problems(database) == []
    async with database.begin() as connection:
        await connection.execute(harm)  # pyright: ignore[reportArgumentType, reportCallIssue] - some statement
    found = await problems(database)
    assert found
    assert told in found[0]
    async with database.begin() as connection:
        await connection.execute(update(model_calls).values(status="success"))


@pytest.mark.parametrize("amount", ["0", "1", "-2.5", "0.000000001", "100000000"])
def test_amounts_are_shown_as_they_were_given(amount: str) -> None:
    assert shown(nano_of(Decimal(amount))) == amount


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "0.0000000001", "100000000.1"])
def test_what_cannot_be_counted_is_refused(amount: str) -> None:
    with pytest.raises(InvalidRequest):
        nano_of(Decimal(amount))


async def test_workers_that_call_for_the_same_accounts_never_lock_each_other_out(
    book: Book, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    tenants = ("acme", "other")
    for tenant in tenants:
        await book.grant(tenant, 2000, kind="paid", reference=tenant)
    workers: list[Ledger] = []
    for _ in range(3):
        holding = Holding(per="tenant", floor=0, largest_hold=None, unpriced_hold=0, lease=3600)
        holding.prices = Ten()
        workers.append(Ledger(database, billing=[holding]))
        await workers[-1].start()
    try:
        calls = [made(worker, 10, tenant) for _ in range(30) for worker in workers for tenant in tenants]
        await asyncio.gather(*calls)
        assert [(await book.balance(Account(tenant))).balance for tenant in tenants] == [1100, 1100]
    finally:
        for worker in workers:
            await worker.stop()
    assert "does not take writes" not in caplog.text
    assert await problems(database) == []
