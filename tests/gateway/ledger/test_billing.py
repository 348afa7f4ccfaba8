"""Billing joins the transactions that open and settle a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, bindparam, select, update

from gateway.errors import ConfigError, QuotaExceeded
from gateway.ledger import Ledger
from gateway.store import Add, Database, Guard, Insert, Transition, Write
from gateway.store.calls import list_calls
from gateway.types import Call, Outcome

MakeCall = Callable[..., Call]
MakeOutcome = Callable[..., Outcome]

metadata = MetaData()
accounts = Table(
    "accounts",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("balance", BigInteger, nullable=False),
)
holds = Table("holds", metadata, Column("id", String(40), primary_key=True), Column("status", String(10)))

OPEN_HOLD = Insert(holds, "id", "status")
CLOSE_HOLD = Transition(holds, "status", leaves="held")


TAKE = Guard(
    update(accounts)
    .where(accounts.c.id == bindparam("account"), accounts.c.balance >= bindparam("amount"))
    .values(balance=accounts.c.balance - bindparam("amount")),
    "account",
    "amount",
    refusal=lambda: QuotaExceeded("No credits are left."),
    adds="amount",
)
GIVE_BACK = Add(accounts)


class Prepaid:
    """A billing plugin: a call costs one credit, which a failed one gives back."""

    def on_open(self, call: Call) -> Sequence[Write]:
        return [Write(TAKE, ("acme", 1)), Write(OPEN_HOLD, (call.id, "held"))]

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        then = () if outcome.status == "success" else (Write(GIVE_BACK, ("acme", 1)),)
        return [Write(CLOSE_HOLD, ("closed", call.id), then)]


class Broken:
    def on_open(self, call: Call) -> Sequence[Write]:
        return []

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        raise RuntimeError("no price")


async def balance_and_holds(database: Database) -> tuple[Any, list[Any]]:
    async with database.connect() as connection:
        balance = (await connection.execute(select(accounts.c.balance))).scalar_one()
        return balance, list((await connection.execute(select(holds.c.status))).scalars())


@pytest.fixture
async def prepaid(database: Database) -> AsyncGenerator[Ledger]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(accounts.insert().values(id="acme", balance=10))
    ledger = Ledger(database, billing=[Prepaid()])
    await ledger.start()
    yield ledger
    await ledger.stop()


async def test_billing_admits_exactly_what_the_balance_allows(
    database: Database, prepaid: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    calls = [make_call() for _ in range(1000)]
    answers = await asyncio.gather(*(prepaid.open(call) for call in calls), return_exceptions=True)
    admitted = [call for call, answer in zip(calls, answers, strict=True) if answer is None]
    assert len(admitted) == 10
    assert all(isinstance(answer, QuotaExceeded) for answer in answers if answer is not None)
    for number, call in enumerate(admitted):
        prepaid.settle(call, make_outcome(status="success" if number < 7 else "failed"))
        prepaid.settle(call, make_outcome(status="failed"))
    await prepaid.stop()
    assert await balance_and_holds(database) == (3, ["closed"] * 10)
    assert len(await list_calls(database, limit=2000)) == 10  # a refused call was never opened


async def test_a_broken_billing_plugin_does_not_keep_a_call_open(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome, caplog: pytest.LogCaptureFixture
):
    ledger = Ledger(database, billing=[Broken()])
    await ledger.start()
    call = make_call()
    await ledger.open(call)
    ledger.settle(call, make_outcome())
    await ledger.stop()
    assert [row.status for row in await list_calls(database)] == ["success"]
    assert "Broken.on_settle failed" in caplog.text


def test_billing_needs_intents():
    with pytest.raises(ConfigError, match="durability"):
        Ledger(Database("sqlite:///x.db"), durability="settle", billing=[Prepaid()])
