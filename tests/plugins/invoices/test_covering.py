"""Invoices ask for what plans cost, and not for usage that a plan includes or that was paid with credit."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import insert

from gateway.doors import Standing
from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway_credits.showing import ShownBook
from gateway_credits.tables import accounts
from gateway_invoices.reading import list_invoices
from gateway_invoices.verify import verify
from gateway_invoices.view import view_of
from gateway_subscription import rows
from gateway_subscription.recounting import Recounter

from ... import scratch
from .ledger import ACTOR, END, START, add_tenant, at
from .ledger import book_of as book_at
from .plans import PLANS, TABLES, again, as_of, asked, book_of, cover, on, subscribed, used
from .samples import config, seller

JULY, AUGUST, SEPTEMBER = at("2026-07-01"), at("2026-08-01"), at("2026-09-01")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return scratch.sqlite(tmp_path, *TABLES)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with scratch.postgres(*TABLES) as url:
        yield url


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


def paid_elsewhere(day: str) -> Standing:
    """Two seats of the plan Team, from a day to the end of October."""
    return Standing(
        reference="stripe:sub_1",
        plan="team",
        seats=2,
        status="active",
        period_start=int(at(day)),
        period_end=int(END),
        cancel_at_end=False,
        told_at=at(day),
    )


async def test_a_plan_that_is_paid_elsewhere_has_no_fee_here(database: Database) -> None:
    await add_tenant(database)
    with on("2026-10-01"):
        await rows.follow(database, PLANS, Recounter((), ()), "acme", paid_elsewhere("2026-10-01"))
    await used(database, "2026-10-20", 23)
    assert await asked(book_of(database)) == ([("usage", "gpt-5", "23"), ("included", "Team", "-20")], 300)


async def test_from_when_a_plan_is_paid_elsewhere_its_fee_is_given_back(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-09-01")
    with on("2026-10-16"):  # nothing has renewed it on the first
        for _ in range(2):
            await rows.follow(database, PLANS, Recounter((), ()), "acme", paid_elsewhere("2026-10-16"))
    lines, _ = await asked(book_of(database))
    assert lines == [("fee", "Team", "49"), ("fee", "Team", "-25.29")]


async def test_seats_that_come_and_go_where_they_are_paid_include_no_more(database: Database) -> None:
    await add_tenant(database)
    first = paid_elsewhere("2026-10-01")
    for day, seats in (("01", 2), ("02", 1), ("03", 2), ("04", 1), ("05", 2)):
        told = structs.replace(first, seats=seats, told_at=at(f"2026-10-{day}"))
        with on(f"2026-10-{day}"):
            await rows.follow(database, PLANS, Recounter((), ()), "acme", told)
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


async def test_a_trial_includes_what_the_plan_does_to_which_it_was_changed(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "starter", "2026-10-05")  # for 14 days; it includes 20
    await as_of(database, "2026-10-06", "professional")  # 110, and charges for more
    await used(database, "2026-10-07", 120)
    assert (await asked(book_of(database)))[0] == [
        ("usage", "gpt-5", "120"),
        ("included", "Professional", "-110"),
    ]


async def test_readers_see_seats_and_days(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-05")
    await used(database, "2026-10-06", 6)
    draft = await book_of(database).draft("acme", START, END, actor=ACTOR)
    fee, _, included = view_of(draft.shown, "draft").rows
    assert (fee.text, fee.detail, fee.amount) == ("Team", "1 seat, 5 Oct 2026 – 4 Nov 2026", "49.00")  # noqa: RUF001
    assert (fee.quantity, fee.price) == ("1", "49.00")
    assert (included.text, included.amount) == ("Included in the plan Team", "−6.00")  # noqa: RUF001


async def test_readers_see_what_is_given_back_for_time_that_was_not_used(database: Database) -> None:
    await add_tenant(database)
    await subscribed(database, "team", "2026-10-05")
    await as_of(database, "2026-10-20", "large")
    draft = await book_of(database).draft("acme", START, END, actor=ACTOR)
    _, unused, part = view_of(draft.shown, "draft").rows
    assert unused.text == "Team, time that was not used"
    assert (unused.quantity, unused.price, unused.amount) == ("", "", "−25.29")  # noqa: RUF001
    assert (part.text, part.detail) == ("Large", "1 seat, 20 Oct 2026 – 4 Nov 2026")  # noqa: RUF001
