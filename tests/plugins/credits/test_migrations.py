"""A journal of three rows for each transaction is carried over into one of one row, on both databases."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from gateway.errors import ConfigError
from gateway.store import Database
from gateway.store.migrate import upgrade
from gateway_credits.account import Account
from gateway_credits.plugin import MIGRATIONS
from gateway_credits.reading import list_transactions
from gateway_credits.tables import accounts, balances, grants, journal
from gateway_credits.verify import verify

from ... import scratch

_BEFORE = "credits1_first.py", "credits2_open_holds.py"


@pytest.fixture(params=scratch.KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
    else:
        with scratch.empty_postgres() as url:
            yield url


@pytest.fixture
async def old(empty_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database as it was before: a grant, a capture, a transfer and an expiry, written as they were then."""
    folder = tmp_path / "before"
    folder.mkdir()
    for name in _BEFORE:
        shutil.copy(MIGRATIONS / name, folder)
    database = Database(empty_url)
    await upgrade(database, [folder])
    await _book(database, "g1", "grant", 1.0, ("acme", "", 100), ("", "paid", -100), "order-1", "acme")
    await _book(database, "call_1", "capture", 2.0, ("acme", "", -30), ("", "revenue", 30))
    await _book(database, "t1", "transfer", 3.0, ("acme", "", -20), ("other", "usr_ann", 20), "move", "acme")
    await _book(database, "x1", "expiry", 4.0, ("other", "usr_ann", -5), ("", "expired", 5), note="t1-0")
    async with database.begin() as connection:
        for tenant, owner, balance in (("acme", "", 50), ("other", "usr_ann", 15)):
            own = {"tenant": tenant, "owner": owner}
            await connection.execute(insert(accounts).values(**own, created_at=0.5, level="ok"))
            await connection.execute(insert(balances).values(**own, balance=balance, held=0, undrawn=0))
            row = {"id": f"of-{tenant}", **own, "kind": "paid", "priority": 50, "created_at": 1.0}
            await connection.execute(insert(grants).values(**row, amount=100, remaining=balance))
    yield database
    await database.close()


async def _book(
    database: Database,
    id: str,
    kind: str,
    at: float,
    *legs: tuple[str, str, int] | str,
    note: str | None = None,
) -> None:
    named: Sequence[Any] = [each for each in legs if isinstance(each, str)] or (None, None)
    head = {"id": id, "kind": kind, "at": at, "reference": named[0], "tenant": named[1], "note": note}
    columns = ", ".join(head)
    async with database.begin() as connection:
        values = ", ".join(f":{name}" for name in head)
        await connection.execute(text(f"INSERT INTO credit_transactions ({columns}) VALUES ({values})"), head)
        for leg in legs:
            if not isinstance(leg, str):
                row = dict(zip(("tenant", "owner", "amount"), leg, strict=True), at=at, id=id)
                await connection.execute(
                    text("INSERT INTO credit_entries VALUES (:tenant, :owner, :at, :id, :amount)"), row
                )


async def test_what_was_booked_stays_booked(old: Database) -> None:
    await upgrade(old, [MIGRATIONS])
    assert [problem async for problem in verify(old)] == []
    found = await list_transactions(old, Account("acme"), after=None, limit=9)
    assert [(row.id, row.kind, row.at, row.amount, row.reference) for row in found] == [
        ("t1", "transfer", 3.0, -20, "move"),
        ("call_1", "capture", 2.0, -30, None),
        ("g1", "grant", 1.0, 100, "order-1"),
    ]
    found = await list_transactions(old, Account("other", "usr_ann"), after=None, limit=9)
    assert [(row.id, row.amount, row.note) for row in found] == [("x1", -5, "t1-0"), ("t1", 20, None)]
    async with old.connect() as connection:
        (moved,) = await connection.execute(select(journal).where(journal.c.id == "t1"))
        (taken,) = await connection.execute(select(journal).where(journal.c.id == "call_1"))
    assert (moved.tenant, moved.other_tenant, moved.other_owner) == ("acme", "other", "usr_ann")
    assert (taken.other_tenant, taken.other_owner) == (None, "revenue")


async def test_books_that_do_not_balance_stay_as_they_are(old: Database) -> None:
    async with old.begin() as connection:
        await connection.execute(text("UPDATE credit_entries SET amount = 99 WHERE amount = 100"))
    with pytest.raises(ConfigError, match="1 transactions and 2 entries"):
        await upgrade(old, [MIGRATIONS])
    async with old.connect() as connection:
        left = await connection.scalar(text("SELECT sum(amount) FROM credit_entries WHERE tenant = 'acme'"))
    assert left == 49
