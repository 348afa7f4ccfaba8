"""What a month comes to below zero is taken off the next invoices, to the cent, once, and provably; or given back."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.types import NANO
from gateway_invoices.book import Book
from gateway_invoices.document import digest, encoded
from gateway_invoices.exporting import Exporter
from gateway_invoices.items import NewItem, add_item
from gateway_invoices.reading import Invoice, list_invoices, read_invoice
from gateway_invoices.tables import invoices
from gateway_invoices.verify import verify
from gateway_subscription import rows

from ... import scratch
from .ledger import ACTOR, END, START, add_call, add_tenant, at
from .ledger import book_of as book_at
from .plans import PLANS, TABLES, book_of, on, subscribed, used
from .samples import config, seller

JULY, AUGUST, SEPTEMBER = at("2026-07-01"), at("2026-08-01"), at("2026-09-01")
TAKEN: Any = {"text": "Sorry", "kind": "adjustment", "currency": "EUR"}


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return scratch.sqlite(tmp_path, *TABLES)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with scratch.postgres(*TABLES) as url:
        yield url


async def issued(book: Book, start: float, end: float) -> Invoice:
    return await book.issue((await book.draft("acme", start, end, actor=ACTOR)).id, actor=ACTOR)


async def cancelled(database: Database) -> tuple[Book, Invoice]:
    """A customer who cancelled at once, and that month's invoice: 16 of 31 days of 49 are owed to them."""
    book = book_of(database)
    await add_tenant(database)
    await subscribed(database, "team", "2026-07-17")
    assert (await issued(book, JULY, AUGUST)).shown.due == 4900
    with on("2026-08-01"):
        await rows.cancel(database, PLANS, "acme", at_end=False, actor=ACTOR)
    return book, await issued(book, AUGUST, SEPTEMBER)


async def states(database: Database) -> dict[str, str]:
    return {each.name: each.status for each in await list_invoices(database, "acme", limit=9)}


async def proved(book: Book) -> None:
    """All that was issued can be proved."""
    for each in await list_invoices(book.database, "acme", limit=9, numbered=True):
        assert await verify(book, each.name) == []


async def test_what_is_owed_is_taken_off_the_next_ones_until_nothing_is_left(either: Database) -> None:
    book, owed = await cancelled(either)
    assert (owed.name, owed.total, owed.shown.due, owed.status) == ("INV-000002", -2529, 0, "issued")
    await used(either, "2026-09-10", 10)
    await used(either, "2026-10-10", 20)
    next_ = await issued(book, SEPTEMBER, START)
    assert (next_.total, next_.shown.due, next_.shown.due_on, next_.status) == (1000, 0, "", "paid")
    after = await issued(book, START, END)
    assert [(each.number, each.amount) for each in after.shown.carried] == [(owed.name, -1529)]
    assert (after.total, after.shown.due, after.status) == (2000, 471, "issued")
    await proved(book)
    assert await states(either) == {
        "INV-000001": "issued",
        "INV-000002": "paid",
        "INV-000003": "paid",
        "INV-000004": "issued",
    }


async def test_nothing_is_taken_off_twice(either: Database) -> None:
    book, owed = await cancelled(either)
    await used(either, "2026-09-10", 30)
    await used(either, "2026-10-10", 40)
    drafts = [await book.draft("acme", *period, actor=ACTOR) for period in ((SEPTEMBER, START), (START, END))]
    assert [draft.shown.due for draft in drafts] == [471, 1471]
    ended = await asyncio.gather(
        *(book.issue(each.id, actor=ACTOR) for each in drafts), return_exceptions=True
    )
    (refused,) = [error for error in ended if isinstance(error, InvalidRequest)]
    assert refused.code == "draft_changed"
    (first,) = [each for each in ended if isinstance(each, Invoice)]
    assert first.shown.carried[0].amount == owed.total
    other = (SEPTEMBER, START) if first.period_start == START else (START, END)
    assert (await issued(book, *other)).shown.carried == ()
    await proved(book)


async def test_a_void_invoice_leaves_what_it_took_off_to_others(either: Database) -> None:
    book, owed = await cancelled(either)
    await used(either, "2026-09-10", 10)
    await used(either, "2026-10-10", 20)
    small = await issued(book, SEPTEMBER, START)
    with pytest.raises(InvalidRequest, match=r"is taken off INV-000003; void that first"):
        await book.void(owed.name, actor=ACTOR)
    large = await issued(book, START, END)
    await book.void(large.name, actor=ACTOR)
    assert (await states(either))[owed.name] == "issued"
    await book.void(small.name, actor=ACTOR)
    again = await issued(book, START, END)
    assert (again.name, again.shown.due) == ("INV-000005", 0)
    assert (await issued(book, SEPTEMBER, START)).shown.due == 471
    await proved(book)


async def test_what_is_given_back_by_hand_is_not_carried_on(either: Database) -> None:
    book, owed = await cancelled(either)
    await used(either, "2026-09-10", 10)
    await used(either, "2026-10-10", 20)
    small = await issued(book, SEPTEMBER, START)
    await book.pay(owed.name, actor=ACTOR)  # the rest, by bank
    with pytest.raises(InvalidRequest, match="is paid"):
        await book.void(owed.name, actor=ACTOR)
    large = await issued(book, START, END)
    assert large.shown.due == 2000
    await proved(book)
    for each in (small, large):
        await book.void(each.name, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="was given back in part"):
        await book.void(owed.name, actor=ACTOR)
    assert (await issued(book, START, END)).shown.due == 1000  # what the small one had taken off
    await proved(book)


async def test_a_void_one_owes_nothing(database: Database) -> None:
    book, owed = await cancelled(database)
    with pytest.raises(InvalidRequest, match="asks for nothing that could be credited"):
        await book.credit(owed.name, reason="all of it", actor=ACTOR)
    await book.void(owed.name, actor=ACTOR)
    await used(database, "2026-10-10", 20)
    assert (await issued(book, START, END)).shown.carried == ()


@pytest.mark.parametrize(
    ("carried", "problem"),
    [
        ({"amount": -2000}, "of INV-000002, 30.00 USD are taken off others, and it leaves 25.29"),
        ({"number": "INV-000001"}, "INV-000001, of which it takes off something, leaves nothing to it"),
        ({"amount": -3000}, "more is taken off than it asks"),
    ],
)
async def test_what_was_tampered_with_is_found_out(
    either: Database, carried: dict[str, Any], problem: str
) -> None:
    book, _ = await cancelled(either)
    await used(either, "2026-09-10", 10)
    await used(either, "2026-10-10", 20)
    await issued(book, SEPTEMBER, START)
    last = await issued(book, START, END)
    (each,) = last.shown.carried
    forged = encoded(msgspec.structs.replace(last.shown, carried=(msgspec.structs.replace(each, **carried),)))
    async with either.begin() as connection:
        await connection.execute(
            update(invoices).where(invoices.c.id == last.id).values(document=forged, hash=digest(forged))
        )
    assert problem in await verify(book, last.name)


async def opened(database: Database, name: str) -> tuple[str, int]:
    """The state of an invoice, and what is open of it."""
    found = await read_invoice(database, name)
    return found.status, found.open


async def test_a_credit_note_first_takes_off_what_is_still_to_be_paid(either: Database) -> None:
    book, _ = await cancelled(either)
    await used(either, "2026-10-10", 30)
    unpaid = await issued(book, START, END)
    assert (unpaid.shown.due, unpaid.open) == (471, 471)
    part = await book.credit(unpaid.name, amount=100, reason="late", actor=ACTOR)
    assert (part.status, part.open, await opened(either, unpaid.name)) == ("paid", 0, ("issued", 371))
    await proved(book)
    rest = await book.credit(unpaid.name, reason="all of it", actor=ACTOR)
    assert (rest.total, rest.status, rest.open) == (
        -2900,
        "issued",
        -2529,
    )  # what was carried over is owed again
    assert await opened(either, unpaid.name) == ("paid", 0)
    await used(either, "2026-09-10", 40)
    after = await issued(book, SEPTEMBER, START)
    assert [(each.number, each.amount) for each in after.shown.carried] == [(rest.name, -2529)]
    assert await opened(either, rest.name) == ("paid", 0)
    await proved(book)


async def test_what_was_paid_and_is_credited_is_taken_off_the_next_one_or_given_back(
    either: Database,
) -> None:
    book = book_of(either)
    await add_tenant(either)
    await used(either, "2026-08-10", 30)
    first = await issued(book, AUGUST, SEPTEMBER)
    await book.pay(first.name, actor=ACTOR)
    kept, sent = [
        await book.credit(first.name, amount=amount, reason="late", actor=ACTOR) for amount in (700, 800)
    ]
    assert (await book.pay(sent.name, actor=ACTOR)).open == 0  # by bank
    await used(either, "2026-09-10", 10)
    after = await issued(book, SEPTEMBER, START)
    assert [each.number for each in after.shown.carried] == [kept.name]
    assert (after.shown.due, after.open) == (300, 300)
    await proved(book)


@pytest.mark.parametrize("wrong", [{"open": -2000}, {"status": "paid"}, {"open": 5}])
async def test_what_is_open_is_proved_too(either: Database, wrong: dict[str, Any]) -> None:
    book, owed = await cancelled(either)
    await used(either, "2026-09-10", 10)
    await issued(book, SEPTEMBER, START)
    async with either.begin() as connection:
        await connection.execute(update(invoices).where(invoices.c.id == owed.id).values(**wrong))
    (problem,) = await verify(book, owed.name)
    assert problem.endswith("open, which is not what its documents say")


async def taxed(database: Database) -> tuple[Invoice, Invoice]:
    """In euros with 19 percent of tax: one that owes 10 and the tax, and the next, for 100."""
    book = book_at(database, config(main=seller(credit_price=1)))
    await add_tenant(database)
    new = NewItem(**TAKEN, unit_price=Decimal(-10), reference="1")
    await add_item(database, "acme", new, actor=ACTOR)
    owed = await issued(book, SEPTEMBER, START)
    await add_call(database, charge=100 * NANO)
    after = await issued(book, START, END)
    await proved(book)
    return owed, after


async def test_taxes_are_carried_over_with_it(database: Database) -> None:
    owed, after = await taxed(database)
    tax = owed.shown.tax
    assert tax is not None
    assert (owed.shown.net, tax.amount, owed.total) == (-1000, -190, -1190)
    assert (after.total, after.shown.due) == (11_900, 10_710)


async def test_every_format_shows_it(database: Database) -> None:
    owed, after = await taxed(database)
    export = Exporter(None).export
    page = export(after, "html").decode()
    assert "Carried over from INV-000001" in page
    assert page.index("−11.90") < page.index("Amount due") < page.index("EUR 107.10")  # noqa: RUF001
    below = export(owed, "html").decode()
    assert "Carried over to the next invoice" in below
    assert "IBAN" not in below
    assert "Due by" not in below
    given = export(await read_invoice(database, owed.id), "html").decode()
    assert "Given back" in given
    assert export(after, "pdf").startswith(b"%PDF")
    shown = msgspec.json.decode(export(after, "json"))
    assert (shown["due"], shown["carried"]) == (
        "107.10",
        [
            {
                "number": "INV-000001",
                "period_start": "2026-09-01",
                "period_end": "2026-09-30",
                "amount": "-11.90",
            }
        ],
    )
    lines = [*csv.DictReader(io.StringIO(export(after, "csv").decode("utf-8-sig")))]
    assert [(row["kind"], row["text"], row["amount"]) for row in lines[-3:]] == [
        ("total", "", "119.00"),
        ("carried", "INV-000001", "-11.90"),
        ("due", "", "107.10"),
    ]
