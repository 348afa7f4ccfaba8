"""Credit around calls: who has it is served, who has none is told so, and however many come at once, none is spent twice."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from gateway.types import NANO
from gateway_credits.tables import events, grants, holds

from .shop import PRICE, shop, who


async def test_a_thousand_calls_at_once_on_credit_for_ten(database_url: str) -> None:
    async with shop(database_url) as open_shop:
        await open_shop.book.grant("acme", 10 * PRICE, kind="paid", reference="order-1")
        assert await open_shop.calls(1000) == {200: 10, 402: 990}
        assert len(open_shop.provider.attempts) == 10
        assert await open_shop.balance() == 0
        assert await open_shop.problems() == []


async def test_who_has_enough_is_never_refused(database_url: str) -> None:
    async with shop(database_url) as open_shop:
        await open_shop.book.grant("acme", 300 * PRICE, kind="paid", reference="order-1")
        assert await open_shop.calls(300) == {200: 300}
        assert await open_shop.balance() == 0
        assert await open_shop.problems() == []


async def test_a_refusal_says_where_to_pay_and_asks_no_provider(sqlite_url: str) -> None:
    url = "https://pay.example.com/?for={tenant}&user={user}"
    async with shop(sqlite_url, payment_url=url) as open_shop:
        answer = await open_shop.call(who("a&b"))
        assert answer.status_code == 402
        assert answer.headers["x-should-retry"] == "false"
        link = "https://pay.example.com/?for=a%26b&user="
        assert answer.headers["link"] == f'<{link}>; rel="payment"'
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_credit")
        assert error["message"].endswith(f"may cost up to 5 credits. Add credit: {link}")
        body = {"model": "fake/good", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
        other = await open_shop.client.post("/v1/messages", json=body, headers=who())
        assert (other.status_code, other.json()["type"]) == (402, "error")
        assert other.json()["error"]["type"] == "billing_error"
        assert not open_shop.provider.attempts


async def test_the_hold_ends_with_the_call_however_that_ends(sqlite_url: str) -> None:
    async with shop(sqlite_url) as open_shop:
        await open_shop.book.grant("acme", 2 * PRICE, kind="paid", reference="order-1")
        failed = await open_shop.call(model="fake/fail")
        assert failed.status_code == 429
        assert await open_shop.balance() == 2 * PRICE
        open_shop.provider.reached.clear()
        waiting = asyncio.ensure_future(open_shop.call(model="fake/hang"))
        await open_shop.provider.reached.wait()
        account = open_shop.book.account("acme")
        assert (await open_shop.book.balance(account)).held == PRICE
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await open_shop.balance() == 2 * PRICE
        assert (await open_shop.call(stream=True)).status_code == 200
        assert await open_shop.balance() == PRICE
        assert await open_shop.problems() == []


async def test_what_a_call_costs_beyond_its_hold_is_taken_in_full(sqlite_url: str) -> None:
    async with shop(sqlite_url, largest_hold="2") as open_shop:
        await open_shop.book.grant("acme", 3 * NANO, kind="paid", reference="order-1")
        assert (await open_shop.call()).status_code == 200
        assert await open_shop.balance() == -2 * NANO
        assert (await open_shop.call()).status_code == 402
        await open_shop.book.grant("acme", 4 * NANO, kind="paid", reference="order-2")
        assert await open_shop.balance() == 2 * NANO
        assert await open_shop.problems() == []


async def test_a_floor_below_zero_lends(sqlite_url: str) -> None:
    async with shop(sqlite_url, floor="-7", welcome="1") as open_shop:
        assert await open_shop.calls(3) == {200: 1, 402: 2}
        assert await open_shop.balance() == -4 * NANO


async def test_one_welcome_however_many_come_at_once(database_url: str) -> None:
    async with shop(database_url, welcome="10", welcome_days=30) as open_shop:
        assert await open_shop.calls(40) == {200: 2, 402: 38}
        async with open_shop.book.database.connect() as connection:
            (welcome,) = (await connection.execute(select(grants))).all()
        assert (welcome.kind, welcome.amount) == ("promotional", 10 * NANO)
        assert welcome.expires_at == pytest.approx(welcome.created_at + 30 * 86_400)
        assert await open_shop.problems() == []


async def test_accounts_of_users(sqlite_url: str) -> None:
    async with shop(sqlite_url, per="user", welcome="5") as open_shop:
        for user in ("usr_ann", "usr_bob"):
            assert (await open_shop.call(who("acme", user))).status_code == 200
            assert (await open_shop.call(who("acme", user))).status_code == 402
            assert await open_shop.balance("acme", user) == 0
        assert (await open_shop.call(who("other", "usr_ann"))).status_code == 200
        assert await open_shop.problems() == []


async def test_a_low_balance_is_told_once(sqlite_url: str) -> None:
    async with shop(sqlite_url, low_balance="11", check_seconds=0.05) as open_shop:
        await open_shop.book.grant("acme", 3 * PRICE, kind="paid", reference="order-1")

        async def told(count: int) -> list[str]:
            async with asyncio.timeout(30):
                while True:
                    async with open_shop.book.database.connect() as connection:
                        found = (await connection.execute(select(events.c.kind))).scalars().all()
                    if len(found) >= count:
                        return [*found]
                    await asyncio.sleep(0.02)

        await open_shop.call()
        assert await told(1) == ["low"]
        await open_shop.call()
        await open_shop.call()
        assert await told(2) == ["low", "exhausted"]
        assert (await open_shop.call()).status_code == 402
        async with open_shop.book.database.connect() as connection:
            assert (await connection.execute(select(holds))).all() == []
        assert await told(2) == ["low", "exhausted"]
