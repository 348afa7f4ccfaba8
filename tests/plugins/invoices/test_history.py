"""What was invoiced is proved by the terms of then, whatever becomes of plans; terms change with the next period."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select, update

from gateway.store import Database
from gateway_credits.showing import ShownBook
from gateway_credits.tables import accounts
from gateway_invoices.document import digest
from gateway_invoices.reading import list_invoices
from gateway_invoices.tables import invoices
from gateway_invoices.verify import verify
from gateway_subscription.terms import keep_terms

from ... import scratch
from .ledger import END, START, add_tenant, at
from .ledger import book_of as book_at
from .plans import PLANS, TABLES, as_of, asked, book_of, cover, plans_of, subscribed, used
from .samples import config, seller

AUGUST, SEPTEMBER = at("2026-08-01"), at("2026-09-01")
LATER = plans_of(("team", "60", "2", "allow"), ("big team", "1", "1", "refuse"))
"""`team` is another by now, and the other plans are gone."""


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return scratch.sqlite(tmp_path, *TABLES)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with scratch.postgres(*TABLES) as url:
        yield url


async def wrong(database: Database) -> list[str]:
    """What is wrong with the customer's invoice by the plans of later."""
    (name,) = [each.name for each in await list_invoices(database, "acme", limit=9)]
    return await verify(book_of(database, cover(plans=LATER)), name)


@pytest.mark.parametrize("plan", ["team", "large", "calm"])
async def test_old_invoices_are_proved_by_the_terms_of_then(either: Database, plan: str) -> None:
    await add_tenant(either)
    await subscribed(either, plan, "2026-10-05")
    await used(either, "2026-10-20", 33)
    await asked(book_of(either))
    assert await wrong(either) == []


async def test_changed_terms_hold_from_the_next_period_on(database: Database) -> None:
    book = book_of(database, cover(plans=LATER))
    await add_tenant(database)
    await subscribed(database, "team", "2026-08-16")
    await used(database, "2026-09-10", 15)
    await as_of(database, "2026-09-16", plans=LATER)
    await used(database, "2026-09-20", 7)
    await asked(book, AUGUST, SEPTEMBER)
    assert await asked(book, SEPTEMBER, START) == (
        [("fee", "Team", "60"), ("usage", "gpt-5", "22"), ("included", "Team", "-17")],
        6500,
    )


@pytest.mark.parametrize(
    "change", ["overage = 'allow'", "included = 11000000000", "name = 'Other'", "start = start + 1296000"]
)
async def test_terms_that_were_tampered_with_are_found_out(either: Database, change: str) -> None:
    await add_tenant(either)
    await subscribed(either, "team", "2026-10-05")
    await used(either, "2026-10-06", 12)
    await asked(book_of(either))
    async with either.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE subscription_charges SET {change}")
    assert await wrong(either) != []


async def test_terms_of_before_they_were_kept_are_those_of_when_they_begin_to_be(either: Database) -> None:
    await add_tenant(either)
    await subscribed(either, "team", "2026-10-05")
    await used(either, "2026-10-20", 33)
    async with either.begin() as connection:
        await connection.exec_driver_sql("UPDATE subscription_charges SET overage = NULL, name = NULL")
        await connection.exec_driver_sql("UPDATE subscriptions SET overage = NULL")
    await asked(book_of(either), START, END)  # by today's plans, until these are kept
    assert len(await wrong(either)) == 1
    await keep_terms(either, PLANS)
    await keep_terms(either, LATER)
    assert await wrong(either) == []


async def test_what_else_is_said_by_the_config_is_kept_with_the_invoice(either: Database) -> None:
    """Plans for components alone, prepaid credit, and who pays none: each may be new, or change."""
    await add_tenant(either)
    await subscribed(either, "team", "2026-10-05")
    for who in ("component", "session"):
        await used(either, "2026-10-20", 12, authenticator=who, ended_at=at("2026-10-20") + 61)
    async with either.begin() as connection:
        own = {"tenant": "acme", "owner": "", "created_at": at("2026-10-03"), "level": "ok"}
        await connection.execute(insert(accounts).values(own))
    free, paying = (
        ShownBook(either, per="user", welcome=None, free=who, payment_url=None) for who in (["component"], [])
    )
    then = [cover(["component"]), free]
    lines, _ = await asked(book_of(either, *then))
    assert lines[2:] == [("included", "Team", "-10"), ("prepaid", "", "-12")]
    (name,) = [each.name for each in await list_invoices(either, "acme", limit=9)]
    for now in ([cover(), free], [cover(["component"]), paying], [paying, cover(as_credit=True)]):
        assert await verify(book_of(either, *now), name) == []
    assert await verify(book_of(either, then[0]), name) == ["paid with credit is not in the ledger"]


async def test_what_is_new_covers_nothing_of_before(database: Database) -> None:
    await add_tenant(database)
    await used(database, "2026-10-20", 12, ended_at=at("2026-10-20") + 61)
    book = book_at(database, config(main=seller(credit_price=1, currency="USD", taxes=[])))
    await asked(book)
    async with database.begin() as connection:
        own = {"tenant": "acme", "owner": "", "created_at": at("2026-10-03"), "level": "ok"}
        await connection.execute(insert(accounts).values(own))
    (name,) = [each.name for each in await list_invoices(database, "acme", limit=9)]
    credit = ShownBook(database, per="user", welcome=None, payment_url=None)
    assert await verify(book_of(database, credit), name) == []


async def test_an_invoice_of_before_plans_were_on_invoices_asks_for_none(either: Database) -> None:
    await add_tenant(either)
    await subscribed(either, "team", "2026-10-05")
    await used(either, "2026-10-20", 12)
    without = book_at(either, config(main=seller(credit_price=1, currency="USD", taxes=[])))
    assert await asked(without) == ([("usage", "gpt-5", "12")], 1200)
    async with either.begin() as connection:
        issued = (await connection.execute(select(invoices))).one()
        kept = msgspec.json.decode(issued.document)
        del kept["terms"]
        raw = msgspec.json.encode(kept)
        await connection.execute(update(invoices).values(document=raw, hash=digest(raw)))
    assert await verify(book_of(either), issued.number) == []
