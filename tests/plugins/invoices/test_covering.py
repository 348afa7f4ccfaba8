"""Invoices ask for what plans cost, and not for usage that a plan includes or that was paid with credit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import insert

from gateway.doors import Standing
from gateway.errors import InvalidRequest
from gateway.store import Database, price_adjustments
from gateway.store.calls import get_call
from gateway.store.price_adjustments import Correction, adjust
from gateway.types import NANO
from gateway_credits.plugin import MIGRATIONS as CREDIT_TABLES
from gateway_credits.showing import ShownBook
from gateway_credits.tables import accounts
from gateway_invoices.book import Book
from gateway_invoices.plugin import MIGRATIONS
from gateway_invoices.reading import list_invoices
from gateway_invoices.verify import verify
from gateway_invoices.view import view_of
from gateway_subscription import rows
from gateway_subscription.covering import Cover
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.plugin import MIGRATIONS as SUBSCRIPTION_TABLES

from ... import scratch
from .ledger import ACTOR, END, START, add_call, add_tenant, at
from .ledger import book_of as book_at
from .samples import config, seller

PLANS = Plans(
    {
        name: Plan.model_validate(
            {"name": name.title(), "price": price, "included": included, "overage": overage}
        )
        for name, price, included, overage in (
            ("team", "49", "10", "charge"),
            ("large", "98", "30", "charge"),
            ("calm", "20", "10", "refuse"),
        )
    }
)
JULY, AUGUST, SEPTEMBER = at("2026-07-01"), at("2026-08-01"), at("2026-09-01")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return scratch.sqlite(tmp_path, MIGRATIONS, SUBSCRIPTION_TABLES, CREDIT_TABLES)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with scratch.postgres(MIGRATIONS, SUBSCRIPTION_TABLES, CREDIT_TABLES) as url:
        yield url


def cover(authenticators: Sequence[str] = (), *, as_credit: bool = False) -> Cover:
    return Cover(PLANS, authenticators, as_credit=as_credit)


def book_of(database: Database, *covers: Cover | ShownBook) -> Book:
    return book_at(
        database, config(main=seller(credit_price=1, currency="USD", taxes=[])), None, *(covers or [cover()])
    )


async def subscribed(database: Database, plan: str, day: str, tenant: str = "acme") -> None:
    with patch.object(rows, "time", SimpleNamespace(time=lambda: at(day))):
        await rows.subscribe(database, PLANS, tenant, plan, actor=ACTOR)


async def as_of(database: Database, day: str, plan: str | None = None) -> None:
    """Renew what is due on a day, or change the plan."""
    with patch.object(rows, "time", SimpleNamespace(time=lambda: at(day))):
        if plan is None:
            await rows.renew_due(database, PLANS)
        else:
            await rows.change(database, PLANS, "acme", plan, actor=ACTOR)


async def used(database: Database, day: str, credits: float, **values: Any) -> str:
    return await add_call(database, at(day) + 60, charge=int(credits * NANO), **values)


async def asked(book: Book, start: float = START, end: float = END) -> tuple[list[tuple[str, str, str]], int]:
    """Issue an invoice: the kind, text and amount of its lines, and the total in cents. It can be proved."""
    draft = await book.draft("acme", start, end, actor=ACTOR)
    lines = [(one.kind, one.text, f"{Decimal(one.amount) / 100:f}") for one in draft.shown.lines]
    number = (await book.issue(draft.id, actor=ACTOR)).name
    assert await verify(book, number) == []
    return lines, draft.total


async def test_fee_usage_what_is_included_and_what_goes_beyond(either: Database) -> None:
    await add_tenant(either)
    await used(either, "2026-10-01", 3)
    await subscribed(either, "team", "2026-10-05")
    await used(either, "2026-10-06", 6)
    await used(either, "2026-10-20", 7.5)
    assert await asked(book_of(either)) == (
        [("fee", "Team", "49"), ("usage", "gpt-5", "16.5"), ("included", "Team", "-10")],
        5550,
    )


async def test_a_period_over_two_months_includes_its_usage_once(database: Database) -> None:
    book = book_of(database)
    await add_tenant(database)
    await subscribed(database, "team", "2026-07-16")
    first = await used(database, "2026-07-20", 8)
    await used(database, "2026-08-10", 5)
    await as_of(database, "2026-08-16")
    await used(database, "2026-08-20", 4)
    assert (await asked(book, JULY, AUGUST))[0] == [
        ("fee", "Team", "49"),
        ("usage", "gpt-5", "8"),
        ("included", "Team", "-8"),
    ]
    await again(database, first, 9, "2026-08-25")
    assert await asked(book, AUGUST, SEPTEMBER) == (
        [
            ("fee", "Team", "49"),
            ("usage", "gpt-5", "9"),
            ("adjustment", "", "1"),
            ("included", "Team", "-6"),
        ],
        5300,
    )
    await again(database, first, 1, "2026-09-02")
    await as_of(database, "2026-09-16")
    lines, _ = await asked(book, SEPTEMBER, START)
    assert lines == [("fee", "Team", "49"), ("adjustment", "", "-8"), ("included", "Team", "4")]


async def again(database: Database, call: str, credits: int, day: str) -> None:
    """Let a call cost so much instead."""
    row: Any = await get_call(database, call)
    wanted = Correction(
        row=row, cost=0, charge=credits * NANO - (row.charge or 0), price_version=None, selling=None
    )
    with patch.object(price_adjustments, "time", SimpleNamespace(time=lambda: at(day))):
        assert len(await adjust(database, [wanted], reason="again", actor=ACTOR)) == 1


async def test_an_upgrade_is_asked_for_by_its_parts(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-01")
    await as_of(database, "2026-10-17", "large")
    await used(database, "2026-10-20", 30)
    lines, total = await asked(book_of(database))
    rest = Fraction(15, 31)
    parts = [round(amount * 100) for amount in (49, -49 * rest, 98 * rest, 30, -(10 + 20 * rest))]
    assert [round(float(amount) * 100) for _, _, amount in lines] == pytest.approx(parts, abs=1)
    assert total == round((49 + 49 * rest + 30 - (10 + 20 * rest)) * 100)


async def test_beyond_what_a_plan_refuses_nothing_is_asked(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "calm", "2026-10-01")
    await used(database, "2026-10-20", 10.25)  # the last call cost more than it was likely to
    assert (await asked(book_of(database)))[1] == 2000


async def test_a_plan_that_is_paid_elsewhere_has_no_fee_here(database: Database) -> None:
    await add_tenant(database)
    standing = Standing(
        reference="stripe:sub_1",
        plan="team",
        seats=2,
        status="active",
        period_start=int(START),
        period_end=int(END),
        cancel_at_end=False,
        told_at=START,
    )
    with patch.object(rows, "time", SimpleNamespace(time=lambda: START + 5)):
        await rows.follow(database, PLANS, "acme", standing)
    await used(database, "2026-10-20", 23)
    assert await asked(book_of(database)) == ([("usage", "gpt-5", "23"), ("included", "Team", "-20")], 300)


async def test_what_was_paid_with_credit_is_not_asked_for(either: Database) -> None:
    """Components have a plan, and users pay by credit: both call in the name of one tenant."""
    credit = ShownBook(either, per="user", welcome=None, free=("component",), payment_url=None)
    await add_tenant(either)
    await subscribed(either, "team", "2026-10-01")
    await used(either, "2026-10-02", 1, authenticator="apikey")  # before there was an account
    async with either.begin() as connection:
        own = {"tenant": "acme", "owner": "ann", "created_at": at("2026-10-03"), "level": "ok"}
        await connection.execute(insert(accounts).values(own))
    for who, cost in (("apikey", 3), ("component", 12)):
        await used(either, "2026-10-20", cost, authenticator=who, ended_at=at("2026-10-20") + 61)
    assert await asked(book_of(either, cover(["component"]), credit)) == (
        [
            ("fee", "Team", "49"),
            ("usage", "gpt-5", "16"),
            ("included", "Team", "-10"),
            ("prepaid", "", "-3"),
        ],
        5200,
    )


async def test_included_usage_that_is_given_as_credit_is_paid_with_it(database: Database) -> None:
    credit = ShownBook(database, per="tenant", welcome=None, payment_url=None)
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-01")
    async with database.begin() as connection:
        own = {"tenant": "acme", "owner": "", "created_at": at("2026-10-01"), "level": "ok"}
        await connection.execute(insert(accounts).values(own))
    await used(database, "2026-10-20", 12, ended_at=at("2026-10-20") + 61)
    assert (await asked(book_of(database, cover(as_credit=True), credit)))[1] == 4900


async def test_an_invoice_that_asks_for_another_fee_is_found_out(database: Database) -> None:
    book = book_of(database)
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-05")
    await asked(book)
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE subscription_charges SET amount = amount + 1000000000")
    (name,) = [each.name for each in await list_invoices(database, "acme", limit=9)]
    assert await verify(book, name) == ["what it asks for plans is not what subscriptions say"]


async def test_a_plan_in_another_currency_is_named(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-05")
    book = book_at(database, config(main=seller(currency="EUR")), None, cover())
    with pytest.raises(InvalidRequest, match=r"'Team' is sold in USD, and .* invoices in EUR"):
        await book.draft("acme", START, END, actor=ACTOR)


async def test_readers_see_seats_and_days(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-05")
    await used(database, "2026-10-06", 6)
    draft = await book_of(database).draft("acme", START, END, actor=ACTOR)
    fee, _, included = view_of(draft.shown, "draft").rows
    assert (fee.text, fee.detail, fee.amount) == ("Team", "1 seats, 5 Oct 2026 – 4 Nov 2026", "49.00")  # noqa: RUF001
    assert (included.text, included.amount) == ("Included in the plan Team", "−6.00")  # noqa: RUF001
