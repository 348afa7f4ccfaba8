"""Lines say quantity, unit and rate, and add up to the ledger exactly, whatever was used and however it was charged."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, insert, select

from gateway.ledger import PriceBook, Pricing
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.store import Database
from gateway.store.tables import model_calls
from gateway.types import NANO, Outcome, Usage
from gateway_invoices.document import Document
from gateway_invoices.verify import verify

from .ledger import ACTOR, END, NOON, PRICES, START, add_call, add_tenant, at, book_of, call_values
from .samples import config, seller

TEXT = (("openai", "gpt-5"), ("gemini", "gemini-2.5-pro"), ("anthropic", "claude-sonnet-4-5"))
OTHER = (
    ("openai", "gpt-image-1", Usage(images=3, size="1024x1024", quality="high")),
    ("openai", "whisper-1", Usage(seconds=61.7)),
    ("openai", "tts-1", Usage(characters=1234)),
    ("openai", "gpt-5", Usage(prompt_tokens=999, completion_tokens=33, searches=2)),
)
BOOK = """
version = "own"

[openai.gpt-image-1]
kind = "image"
price = { input = 5, output = 0, image = 0.04, images = [{ size = "1024x1024", quality = "high", image = 0.167 }] }
[openai.whisper-1]
kind = "transcription"
price = { hour = 0.36 }
[openai.tts-1]
kind = "speech"
price = { characters = 15 }
[openai.gpt-5]
kind = "chat"
price = { input = 1.25, output = 10, cached_read = 0.125, reasoning = 11, search = 0.01, request = 0.0001 }
"""
RULES = (("0", "1"), ("33.3", "0.3"), ("-10", "7"))
CURRENCIES = ("EUR", "JPY", "BHD")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    file = tmp_path_factory.mktemp("prices") / "book.toml"
    file.write_text(BOOK)
    return PriceBook.load(file)


def pricing_of(prices: PriceBook, margin: str, credit_price: str) -> Pricing:
    worth = Decimal(credit_price)
    return Pricing(prices, selling=SellingPrices(usual_terms(Decimal(margin), worth), worth))


def priced(pricing: Pricing, tenant: str, provider: str, model: str, usage: Usage) -> dict[str, Any]:
    """A row as the ledger writes it."""
    outcome = Outcome(usage=usage, upstream_model=model)
    pricing.apply(outcome, provider, NOON, tenant)
    names = (
        "prompt_tokens",
        "completion_tokens",
        "cached_read_tokens",
        "cached_write_tokens",
        "reasoning_tokens",
    )
    units = {
        name: value
        for name, value in msgspec.to_builtins(usage).items()
        if value and name not in names and name != "estimated"
    }
    return call_values(
        tenant=tenant,
        provider=provider,
        model=model,
        upstream_model=model,
        units=msgspec.json.encode(units).decode() if units else None,
        cost=outcome.cost,
        charge=outcome.charge,
        price_version=outcome.price_version,
        selling=outcome.selling,
        **{name: getattr(usage, name) for name in names},
    )


def holds(document: Document, charged: int) -> None:
    """Every line of the ledger is quantity times rate, and together they are what was charged."""
    usage = [line for line in document.lines if line.credits is not None]
    assert sum(line.credits or 0 for line in usage) == charged
    for line in usage:
        assert line.rate is not None, line
        exact = Fraction(line.quantities[0].amount) * Fraction(line.rate) * NANO / line.per
        assert abs(exact - (line.credits or 0)) <= 200
    assert sum(line.amount for line in document.lines) == document.net


def some_usage(chance: Random) -> Usage:
    prompt, answer = chance.choice([0, 7, 1_203, 199_999, 200_001, 310_000]), chance.randrange(9_000)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        cached_read_tokens=chance.randrange(prompt + 50),
        reasoning_tokens=chance.randrange(answer + 50),
    )


async def test_lines_add_up_to_the_ledger(either: Database, prices: PriceBook) -> None:
    chance, kinds = Random(5), itertools.product(RULES, CURRENCIES)
    for number, ((margin, worth), currency) in enumerate(kinds):
        tenant, pricing = f"tenant-{number}", pricing_of(prices, margin, worth)
        calls = [
            *(priced(pricing, tenant, *chance.choice(TEXT), some_usage(chance)) for _ in range(40)),
            *(priced(pricing, tenant, provider, model, usage) for provider, model, usage in OTHER * 3),
        ]
        await add_tenant(either, tenant)
        async with either.begin() as connection:
            await connection.execute(insert(model_calls), calls)
        book = book_of(either, config(main=seller(currency=currency, credit_price="0.937")), pricing)
        draft = await book.draft(tenant, START, END, actor=ACTOR)
        holds(draft.shown, sum(call["charge"] for call in calls))
        assert await verify(book, (await book.issue(draft.id, actor=ACTOR)).name) == []


async def test_what_was_charged_otherwise_is_told_without_a_rate(either: Database) -> None:
    await add_tenant(either)
    pricing = pricing_of(PRICES, "0", "1")
    usage = Usage(prompt_tokens=1000, completion_tokens=100)
    known = priced(pricing, "acme", "openai", "gpt-5", usage)
    sound = priced(pricing, "acme", "openai", "whisper-1", Usage(seconds=3600)) | {"charge": 7}
    for row in (known, known | {"selling": "sel_gone"}, sound):
        async with either.begin() as connection:
            await connection.execute(insert(model_calls).values(row | {"id": call_values()["id"]}))
    book = book_of(either, config(main=seller()), pricing)
    document = (await book.draft("acme", START, END, actor=ACTOR)).shown
    found = [(line.text, line.quantities[0].unit, line.rate, line.credits) for line in document.lines]
    assert [one for one in found if one[0] == "gpt-5"] == [
        ("gpt-5", "input_tokens", "1.25", 1_250_000),
        ("gpt-5", "output_tokens", "10", 1_000_000),
        ("gpt-5", "calls", None, 2_250_000),
    ]
    assert found[-1] == ("whisper-1", "calls", None, 7)
    async with either.connect() as connection:
        charged = await connection.scalar(select(func.sum(model_calls.c.charge)))
    assert sum(line.credits or 0 for line in document.lines) == charged


async def test_a_price_that_changed_within_the_period_makes_two_lines(
    either: Database, tmp_path: Path
) -> None:
    file = tmp_path / "book.toml"
    file.write_text(
        'version = "own"\n[openai."gpt-5"]\n'
        "price = [{ from = 2026-01-01, input = 1, output = 2 }, { from = 2026-10-10, input = 3, output = 2 }]\n"
    )
    await add_tenant(either)
    pricing = Pricing(PriceBook.load(file))
    for day in ("2026-10-09", "2026-10-10", "2026-10-11"):
        outcome = Outcome(usage=Usage(prompt_tokens=1_000_000), upstream_model="gpt-5")
        pricing.apply(outcome, "openai", at(day), "acme")
        more: dict[str, Any] = {
            "price_version": outcome.price_version,
            "cost": outcome.cost,
            "charge": outcome.charge,
        }
        await add_call(either, at(day), prompt_tokens=1_000_000, completion_tokens=0, **more)
    book = book_of(either, config(main=seller()), pricing)
    document = (await book.draft("acme", START, END, actor=ACTOR)).shown
    found = [(line.quantities[0].amount, line.rate, line.credits) for line in document.lines]
    assert found == [("1000000", "1", 1 * NANO), ("2000000", "3", 6 * NANO)]
