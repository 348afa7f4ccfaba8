"""Money and a provider's batches: held for every line before it begins, and charged once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select

from gateway import Gateway
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.tenants import create_tenant
from gateway.types import NANO
from gateway_credits.book import Book
from gateway_credits.verify import verify
from gateway_subscription.config import SubscriptionConfig
from gateway_subscription.plans import Plans
from gateway_subscription.rows import subscribe
from gateway_subscription.tables import usage

from .abroad import INPUT, Provider, answered, begun, calls_in, content, refused, tables

TENANT = "acme"
ACTOR = Actor(kind="command", id="test")
LINE = 100 * 10_000 // 2
"""The answer of a line, at half the price of gpt-4o, in 10⁻⁹ credit; what the prompt may cost comes on top."""


def shop(provider: Provider) -> dict[str, Any]:
    config = tables(provider, preset="openai")
    return {**config, "billing": {"credits": {}}, "plugins": config["plugins"]}


def book_of(gateway: Gateway) -> Book:
    book = gateway._context.credits
    assert isinstance(book, Book)
    return book


def sdk_of(http: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url="http://gateway/v1", api_key=TENANT, http_client=http, max_retries=0)


async def test_credit_is_held_for_each_line_and_charged_for_what_was_made(
    build: Callable[..., Gateway], provider: Provider, database: Database
) -> None:
    gateway = build(**shop(provider))
    async with gateway.lifespan(), gateway.client as http:
        sdk, book = sdk_of(http), book_of(gateway)
        account = book.account(TENANT)
        await book.grant(TENANT, NANO, kind="paid", reference="order-1")
        await begun(sdk)
        held = (await book.balance(account)).held
        assert 3 * LINE < held < 4 * LINE
        provider.ends("completed", answered("line-0") + answered("line-1"), refused("line-2"))
        for _ in range(2):
            assert (await sdk.batches.retrieve("batch_abc123")).status == "completed"
        after = await book.balance(account)
        price = (1000 * 2_500 + 100 * 10_000) // 2
        assert (after.held, after.balance) == (0, NANO - 2 * price)
        assert [problem async for problem in verify(book.database)] == []
    charged = [call["charge_nano"] for call in await calls_in(database)]
    assert sorted(charge for charge in charged if charge) == [price, price]


async def test_who_cannot_pay_for_all_lines_begins_no_batch(
    build: Callable[..., Gateway], provider: Provider, database: Database
) -> None:
    gateway = build(**shop(provider))
    async with gateway.lifespan(), gateway.client as http:
        book = book_of(gateway)
        await book.grant(TENANT, 2 * LINE, kind="paid", reference="order-1")
        with pytest.raises(openai.APIStatusError, match="not enough credit") as error:
            await begun(sdk_of(http))
        assert error.value.status_code == 402
        assert (await book.balance(book.account(TENANT))).held == 0
        assert "/v1/batches" not in [request.path for request in provider.requests]
    assert await calls_in(database) == []


async def test_a_long_file_of_which_a_late_line_cannot_be_paid_leaves_nothing_held(
    build: Callable[..., Gateway], provider: Provider, database: Database
) -> None:
    lines = b"".join(
        INPUT.splitlines(keepends=True)[0].replace(b"line-0", b"line-%d" % n) for n in range(220)
    )
    provider.has["GET /v1/files/file-abc123/content"] = content(lines[:1000], lines[1000:])
    gateway = build(**shop(provider))
    async with gateway.lifespan(), gateway.client as http:
        book = book_of(gateway)
        await book.grant(TENANT, 225 * LINE, kind="paid", reference="order-1")
        with pytest.raises(openai.APIStatusError, match="not enough credit"):
            await begun(sdk_of(http))
    async with gateway.lifespan():
        assert (await book_of(gateway).balance(book.account(TENANT))).held == 0
    assert {call["status"] for call in await calls_in(database)} == {"failed"}


@pytest.mark.parametrize("first", ["subscription", "credits"])
async def test_lines_are_paid_by_what_their_caller_pays_with(
    build: Callable[..., Gateway], provider: Provider, database: Database, first: str
) -> None:
    """Callers of this authenticator need a subscription and pay no credit; another process finds the results."""
    config = shop(provider)
    billing: dict[str, Any] = {
        "credits": {"except_authenticators": ["by_tenant"]},
        "subscription": {
            "authenticators": ["by_tenant"],
            "plans": {"small": {"name": "Small", "price": 1, "included": 1, "overage": "charge"}},
        },
    }
    config["billing"] = {first: billing.pop(first), **billing}
    async with build(**config).lifespan():
        plans = Plans(SubscriptionConfig.model_validate(config["billing"]["subscription"]).plans)
        await create_tenant(database, TENANT, actor=ACTOR)
        await subscribe(database, plans, TENANT, "small", actor=ACTOR)
    price = (1000 * 2_500 + 100 * 10_000) // 2
    gateway = build(**config)
    async with gateway.lifespan(), gateway.client as http:
        await book_of(gateway).grant(TENANT, NANO, kind="paid", reference="order-1")
        await begun(sdk_of(http))
        assert (await book_of(gateway).balance(book_of(gateway).account(TENANT))).held == 0
    gateway = build(**config)
    async with gateway.lifespan(), gateway.client as http:
        provider.ends("completed", answered("line-0") + answered("line-1"), refused("line-2"))
        assert (await sdk_of(http).batches.retrieve("batch_abc123")).status == "completed"
        book = book_of(gateway)
        assert (await book.balance(book.account(TENANT))).balance == NANO
        assert [problem async for problem in verify(database, free=book.free)] == []
    async with database.connect() as connection:
        assert await connection.scalar(select(func.sum(usage.c.spent))) == 2 * price
