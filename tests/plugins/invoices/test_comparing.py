"""Invoices are compared with the ledger, and what is on none is named."""

from __future__ import annotations

from gateway.store import Database
from gateway.store.tables import usage_buckets
from gateway_invoices.comparing import Comparison

from .ledger import ACTOR, END, NOON, START, add_call, add_tenant, book_of
from .samples import config, seller

LATER = END + 90 * 86_400.0


async def add_bucket(database: Database, when: float, charge: int) -> None:
    zero = dict.fromkeys(
        ("failed", "prompt_tokens", "completion_tokens", "cached_read_tokens", "cached_write_tokens", "cost"),
        0,
    )
    row = {
        "start": int(when),
        "tenant": "acme",
        "key": "",
        "model": "gpt-5",
        "provider": "openai",
        "calls": 1,
    }
    async with database.begin() as connection:
        await connection.execute(
            usage_buckets.insert().values({**row, **zero, "reasoning_tokens": 0, "charge": charge})
        )


async def test_invoices_and_charges_without_one_are_compared(either: Database) -> None:
    await add_tenant(either)
    await add_call(either)
    await add_bucket(either, NOON, 1_000_000_000)
    book = book_of(either, config(main=seller()))
    comparison = Comparison(book)
    (lacking,) = await comparison.compare(0.0, LATER)
    assert (lacking.tenant, lacking.object, lacking.problem) == (
        "acme",
        "not invoiced",
        "1.000000000 credits were charged on days that are on no invoice",
    )
    issued = await book.issue((await book.draft("acme", START, END, actor=ACTOR)).id, actor=ACTOR)
    assert await comparison.compare(0.0, LATER) == []
    assert issued.issued_at is not None
    late = await add_call(either, ended_at=issued.issued_at + 60)
    (found,) = await comparison.compare(START, END)
    assert (found.object, found.calls) == (issued.number, (late,))
    assert "2000000000 in the ledger" in found.problem
    assert await comparison.compare(END, LATER) == []
