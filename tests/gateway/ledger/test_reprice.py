"""Repricing a period: the calls stay as they are, and adjustments make up the difference exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import select

from gateway.ledger import Ledger, PriceBook, Pricing
from gateway.ledger.reprice import Repricing, Total, reprice
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.audit_entries import EntryFilter, list_entries
from gateway.store.price_adjustments import (
    Which,
    adjustments_after,
    adjustments_of,
    list_adjustments,
)
from gateway.store.tables import model_calls
from gateway.types import Call, Outcome, Principal, Usage

OPERATOR = Actor(kind="command", id="operator")
BOOK = PriceBook.load()
DAY = 86_400.0
START = 1_795_000_000.0  # November 2026
MakeCall = Callable[..., Call]


def pricing_of(margin: int) -> Pricing:
    return Pricing(BOOK, selling=SellingPrices(usual_terms(Decimal(margin), Decimal(1)), Decimal(1)))


async def again(database: Database, margin: int, *, apply: bool = True, **which: str) -> Repricing:
    return await reprice(
        database,
        pricing_of(margin),
        {"main": "openai"},
        Which(since=START, until=START + DAY, **which),
        reason="the margin was wrong",
        apply=OPERATOR if apply else None,
    )


@pytest.fixture
async def filled(sqlite: Database, make_call: MakeCall) -> Database:
    """Three calls of two tenants on a day, one the day after, one whose price nobody knows; charged without a margin."""
    ledger = Ledger(sqlite)
    await ledger.start()
    for number, (tenant, model, at) in enumerate(
        [
            ("acme", "gpt-4o", START),
            ("acme", "gpt-4o", START + 10),
            ("beta", "gpt-4o-mini", START + 20),
            ("acme", "nobody-knows", START + 30),
            ("acme", "gpt-4o", START + DAY),
        ]
    ):
        call = make_call(
            id=f"call_{int(at * 1000):012x}{number:016x}",
            model=f"main/{model}",
            received_at=at,
            principal=Principal(tenant=tenant, authenticator="test"),
        )
        done = Outcome(status="success", provider="main", upstream_model=model, ended_at=at)
        done.usage = Usage(prompt_tokens=1000)
        pricing_of(0).apply(done, "openai", at, tenant)
        await ledger.open(call)
        await ledger.close(call, done)
    await ledger.stop()
    return sqlite


async def rows_of(database: Database) -> list[tuple[object, ...]]:
    async with database.connect() as connection:
        return [
            tuple(row) for row in await connection.execute(select(model_calls).order_by(model_calls.c.id))
        ]


async def test_looking_writes_nothing(filled: Database):
    found = await again(filled, 10, apply=False)
    assert (found.looked_at, found.without_price) == (4, 1)
    assert found.by_model == {
        ("acme", "main/gpt-4o"): Total(calls=2, charge=500_000),
        ("beta", "main/gpt-4o-mini"): Total(calls=1, charge=15_000),
    }
    assert await adjustments_after(filled, 0) == []


async def test_a_repricing_adds_and_overwrites_nothing(filled: Database):
    before = await rows_of(filled)
    await again(filled, 10)
    assert await rows_of(filled) == before
    made = await list_adjustments(filled, "acme")
    assert [(one.cost, one.charge, one.selling, one.number) for one in made] == [
        (0, 250_000, "margin=10 credit=1", 1)
    ] * 2
    assert [one.tenant for one in await list_adjustments(filled, "beta")] == ["beta"]
    entries = await list_entries(filled, "acme", EntryFilter(), limit=9)
    assert [(entry.action, (entry.after or {})["charge"]) for entry in entries] == [
        ("calls.reprice", 500_000)
    ]


async def test_doing_it_again_finds_nothing_and_going_back_takes_it_back(filled: Database):
    await again(filled, 10)
    assert (await again(filled, 10)).by_model == {}
    back = await again(filled, 0)
    assert back.by_model["acme", "main/gpt-4o"] == Total(calls=2, charge=-500_000)
    call = (await list_adjustments(filled, "acme"))[0].call
    assert [(one.number, one.charge) for one in await adjustments_of(filled, call)] == [
        (1, 250_000),
        (2, -250_000),
    ]


async def test_two_at_once_add_nothing_twice(filled: Database):
    await asyncio.gather(again(filled, 20), again(filled, 20))
    made = await adjustments_after(filled, 0)
    assert sorted(one.charge for one in made) == [30_000, 500_000, 500_000]


async def test_model_and_tenant_narrow_it(filled: Database):
    assert set((await again(filled, 10, model="gpt-4o-mini")).by_model) == {("beta", "main/gpt-4o-mini")}
    assert set((await again(filled, 10, model="main/gpt-4o")).by_model) == {("acme", "main/gpt-4o")}
    assert set((await again(filled, 20, tenant="beta")).by_model) == {("beta", "main/gpt-4o-mini")}


async def test_the_feed_gives_what_came_since(filled: Database):
    await again(filled, 10, tenant="beta")
    (first,) = await adjustments_after(filled, 0)
    await again(filled, 10)
    assert {one.tenant for one in await adjustments_after(filled, first.revision)} == {"acme"}
