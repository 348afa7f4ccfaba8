from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, update

from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.erasure import erase_tenant
from gateway.store.notices import list_notices
from gateway.store.tables import model_calls, price_adjustments
from gateway_invoices.book import Book
from gateway_invoices.customers import Customer, read_customer, set_customer
from gateway_invoices.items import NewItem, add_item
from gateway_invoices.reading import read_invoice
from gateway_invoices.tables import invoices
from gateway_invoices.verify import verify

from .ledger import ACTOR, END, NOON, START, add_call, add_tenant
from .ledger import book_of as book_at
from .samples import config, seller


def book_of(database: Database) -> Book:
    return book_at(
        database, config(main=seller(credit_price=1), other=seller(prefix="B-", credit_prefix="BC-"))
    )


async def issued(book: Book, tenant: str = "acme") -> str:
    draft = await book.draft(tenant, START, END, actor=ACTOR)
    return (await book.issue(draft.id, actor=ACTOR)).name


async def test_lines_say_what_the_ledger_says(either: Database):
    await add_tenant(either)
    await add_call(either, charge=1_234_567_890, cached_read_tokens=40)
    await add_call(either, charge=5, prompt_tokens=None, completion_tokens=None)
    await add_call(
        either, upstream_model="gpt-image-1", units='{"images":2,"seconds":0.1,"size":"1024x1024"}'
    )
    await add_call(either, upstream_model="gpt-image-1", units='{"images":1,"seconds":0.2}')
    await add_call(either, charge=None, status="success")
    await add_call(either, charge=0, status="failed")
    await add_call(either, START - 1)
    await add_call(either, END)
    await add_call(either, tenant="other")
    async with either.begin() as connection:
        adjusted = {
            "call": "call_0",
            "number": 1,
            "tenant": "acme",
            "model": "gpt-5",
            "received_at": START - 9,
        }
        more = {"cost": 0, "charge": -500, "reason": "repriced", "created_at": NOON, "revision": 1}
        await connection.execute(insert(price_adjustments).values(**adjusted, **more))
    book = book_of(either)
    draft = await book.draft("acme", START, END, actor=ACTOR)
    document = draft.shown
    found = [
        (line.text, line.credits, [(one.unit, one.amount) for one in line.quantities])
        for line in document.lines
    ]
    assert found == [
        (
            "gpt-5",
            1_234_567_895,
            [("calls", "2"), ("input_tokens", "100"), ("cached_read_tokens", "40"), ("output_tokens", "10")],
        ),
        (
            "gpt-image-1",
            2_000_000_000,
            [
                ("calls", "2"),
                ("input_tokens", "200"),
                ("output_tokens", "20"),
                ("images", "3"),
                ("seconds", "0.3"),
            ],
        ),
        ("", -500, [("calls", "1")]),
    ]
    assert document.unpriced_calls == 1
    assert (document.net, document.total) == (323, 384)  # 3.234567395 credits, and 19 percent
    number = (await book.issue(draft.id, actor=ACTOR)).name
    assert await verify(book_of(either), number) == []


async def test_many_at_once_have_numbers_without_gaps(either: Database):
    names = [f"tenant-{number}" for number in range(8)]
    book, another = book_of(either), book_of(either)
    for name in names:
        await add_tenant(either, name)
        await add_call(either, tenant=name)
    drafts = [(await book.draft(name, START, END, actor=ACTOR)).id for name in names]
    attempts = [by.issue(draft, actor=ACTOR) for draft in drafts for by in (book, another)]  # each one twice
    ended = await asyncio.gather(*attempts, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, InvalidRequest)]
    numbers = sorted(done.name for done in ended if not isinstance(done, BaseException))
    assert numbers == [f"INV-{number:06d}" for number in range(1, 9)]
    assert len(refused) == 8


async def test_a_refused_issue_uses_no_number(database: Database):
    book = book_of(database)
    for name in ("acme", "globex"):
        await add_tenant(database, name)
        await add_call(database, tenant=name)
    draft = await book.draft("acme", START, END, actor=ACTOR)
    await add_call(database)
    with pytest.raises(InvalidRequest, match="changed since"):
        await book.issue(draft.id, actor=ACTOR)
    assert await issued(book, "globex") == "INV-000001"
    assert await issued(book) == "INV-000002"


async def test_each_entity_counts_by_itself(database: Database):
    book = book_of(database)
    await add_tenant(database)
    await add_tenant(database, "globex", entity="other")
    assert await issued(book) == "INV-000001"
    assert await issued(book, "globex") == "B-000001"


async def test_only_what_is_over_and_was_seen_is_issued(database: Database):
    book = book_of(database)
    await add_tenant(database)
    call = await add_call(database, charge=None, status="processing")
    draft = await book.draft("acme", START, END, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="1 calls of the period are still running"):
        await book.issue(draft.id, actor=ACTOR)
    async with database.begin() as connection:
        done = update(model_calls).where(model_calls.c.id == call).values(status="success", charge=7)
        await connection.execute(done)
    with pytest.raises(InvalidRequest, match="changed since"):
        await book.issue(draft.id, actor=ACTOR)
    again = await book.draft("acme", START, END, actor=ACTOR)
    assert (await read_invoice(database, draft.id)).status == "void"
    await set_customer(
        database, "acme", Customer(name="Acme", address=("2 Example Road",), country="DE"), actor=ACTOR
    )
    with pytest.raises(InvalidRequest, match="changed since"):
        await book.issue(again.id, actor=ACTOR)
    future = await book.draft("acme", START + 86_400 * 36_500, END + 86_400 * 36_500, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="has not ended"):
        await book.issue(future.id, actor=ACTOR)


async def test_no_day_is_invoiced_twice_until_void(database: Database):
    book = book_of(database)
    await add_tenant(database)
    await add_call(database)
    number = await issued(book)
    with pytest.raises(InvalidRequest, match=number):
        await book.draft("acme", END - 86_400, END + 86_400, actor=ACTOR)
    assert await book.draft_each([], START, END, actor=ACTOR) == ([], {})
    await book.void(number, actor=ACTOR)
    assert await issued(book) == "INV-000002"
    with pytest.raises(InvalidRequest, match="is void"):
        await book.pay(number, actor=ACTOR)


async def test_added_lines_are_asked_for_once(database: Database):
    book = book_of(database)
    await add_tenant(database)
    fee = NewItem(text="Plan", kind="fee", unit_price=Decimal("49.00"), currency="EUR", reference="plan:10")
    assert await add_item(database, "acme", fee, actor=ACTOR)
    assert not await add_item(database, "acme", fee, actor=ACTOR)
    dearer = NewItem(text="Plan", kind="fee", unit_price=Decimal(50), currency="EUR", reference="plan:10")
    with pytest.raises(InvalidRequest, match="another line"):
        await add_item(database, "acme", dearer, actor=ACTOR)
    number = await issued(book)
    assert (await read_invoice(database, number)).total == 5831
    later = await book.draft("acme", END, END + 86_400, actor=ACTOR)
    assert later.shown.lines == ()
    await book.void(number, actor=ACTOR)
    assert (await book.draft("acme", END, END + 86_400, actor=ACTOR)).total == 5831


async def test_credit_notes_have_numbers_of_their_own(database: Database):
    book = book_of(database)
    await add_tenant(database)
    await add_call(database, charge=100 * 10**9)
    number = await issued(book)
    await book.pay(number, actor=ACTOR)
    part = await book.credit(number, amount=1190, reason="goodwill", actor=ACTOR)
    rest = await book.credit(number, reason="all of it", actor=ACTOR)
    assert [(note.number, note.total) for note in (part, rest)] == [
        ("CN-000001", -1190),
        ("CN-000002", -10_710),
    ]
    told = await list_notices(database, "acme", after=None, limit=9)
    assert sorted((each.kind, each.data["number"], each.data["total"]) for each in told) == [
        ("credit_note", "CN-000001", -1190),
        ("credit_note", "CN-000002", -10_710),
    ]
    assert [await verify(book_of(database), name) for name in (number, part.name, rest.name)] == [[], [], []]
    with pytest.raises(InvalidRequest, match="left to be credited"):
        await book.credit(number, reason="again", actor=ACTOR)
    with pytest.raises(InvalidRequest, match="is paid"):
        await book.void(number, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="stays as it is"):
        await book.void(part.name, actor=ACTOR)


async def test_what_was_changed_afterwards_is_found(database: Database):
    book = book_of(database)
    await add_tenant(database)
    call = await add_call(database)
    number = await issued(book)
    async with database.begin() as connection:
        await connection.execute(
            update(model_calls).where(model_calls.c.id == call).values(charge=1_000_000_001)
        )
    assert await verify(book_of(database), number) == [
        "openai/gpt-5: 1000000000 nano-credits on the invoice, 1000000001 in the ledger"
    ]
    document = (await read_invoice(database, number)).document.replace(b'"total":119', b'"total":118')
    async with database.begin() as connection:
        await connection.execute(update(invoices).values(document=document, total=118))
    problems = await verify(book_of(database), number)
    assert problems[0] == "it was changed after it was issued: its hash is another"
    assert "net and tax do not come to the total" in problems


async def test_invoices_outlive_the_tenant(database: Database):
    book = book_of(database)
    await add_tenant(database)
    await add_call(database)
    number = await issued(book)
    await erase_tenant(database, "acme", operator_tenant="default", actor=ACTOR)
    assert await verify(book_of(database), number) == []
    assert await read_customer(database, "acme") is not None


async def test_refuses_what_it_cannot_invoice(database: Database):
    book = book_of(database)
    with pytest.raises(InvalidRequest, match="no customer data"):
        await book.draft("acme", START, END, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="midnight"):
        await book.draft("acme", START + 1, END, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="no tenant"):
        await set_customer(database, "acme", Customer(name="a", address=("b",), country="DE"), actor=ACTOR)
    await add_tenant(database)
    with pytest.raises(InvalidRequest, match="the config has main, other"):
        await book.draft("acme", START, END, entity="third", actor=ACTOR)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"country": "de"}, "two capital letters"),
        ({"name": "n" * 201}, "name is longer than 200"),
        ({"tax_id": "1\n2"}, "tax_id must be one line"),
    ],
)
async def test_customer_data_must_fit(database: Database, wrong: dict[str, str], told: str):
    await add_tenant(database)
    fields: dict[str, Any] = {"name": "Acme", "address": ("1 Example Road",), "country": "DE", **wrong}
    with pytest.raises(InvalidRequest, match=told):
        await set_customer(database, "acme", Customer(**fields), actor=ACTOR)


async def test_added_lines_must_fit(database: Database):
    await add_tenant(database)
    new = NewItem(text="t" * 201, kind="fee", unit_price=Decimal(1), currency="EUR", reference="1")
    with pytest.raises(InvalidRequest, match="text is longer than 200"):
        await add_item(database, "acme", new, actor=ACTOR)
