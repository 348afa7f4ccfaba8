"""Customers with plans: what they use, and what they are asked for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from gateway.store import Database, price_adjustments
from gateway.store.calls import get_call
from gateway.store.price_adjustments import Correction, adjust
from gateway.types import NANO
from gateway_credits.plugin import MIGRATIONS as CREDIT_TABLES
from gateway_credits.showing import ShownBook
from gateway_invoices.book import Book
from gateway_invoices.plugin import MIGRATIONS
from gateway_invoices.verify import verify
from gateway_subscription import rows
from gateway_subscription.covering import Cover
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.plugin import MIGRATIONS as SUBSCRIPTION_TABLES

from .ledger import ACTOR, END, START, add_call, at
from .ledger import book_of as book_at
from .samples import config, seller

TABLES = MIGRATIONS, SUBSCRIPTION_TABLES, CREDIT_TABLES


def plans_of(*each: tuple[str, str, str, str]) -> Plans:
    """Plans by id, price, what is included, and what happens beyond that."""
    return Plans(
        {
            name: Plan.model_validate(
                {"name": name.title(), "price": price, "included": included, "overage": overage}
            )
            for name, price, included, overage in each
        }
    )


PLANS = plans_of(
    ("team", "49", "10", "charge"), ("large", "98", "30", "charge"), ("calm", "20", "10", "refuse")
)


def cover(authenticators: Sequence[str] = (), *, as_credit: bool = False, plans: Plans = PLANS) -> Cover:
    return Cover(plans, authenticators, as_credit=as_credit)


def book_of(database: Database, *covers: Cover | ShownBook) -> Book:
    return book_at(
        database, config(main=seller(credit_price=1, currency="USD", taxes=[])), None, *(covers or [cover()])
    )


@contextmanager
def on(day: str) -> Generator[None]:
    """Let it be that day for subscriptions."""
    with patch.object(rows, "time", SimpleNamespace(time=lambda: at(day))):
        yield


async def subscribed(database: Database, plan: str, day: str, tenant: str = "acme") -> None:
    with on(day):
        await rows.subscribe(database, PLANS, tenant, plan, actor=ACTOR)


async def as_of(database: Database, day: str, plan: str | None = None, *, plans: Plans = PLANS) -> None:
    """Renew what is due on a day, or change the plan."""
    with on(day):
        if plan is None:
            await rows.renew_due(database, plans)
        else:
            await rows.change(database, plans, "acme", plan, actor=ACTOR)


async def used(database: Database, day: str, credits: float, **values: Any) -> str:
    return await add_call(database, at(day) + 60, charge=int(credits * NANO), **values)


async def asked(book: Book, start: float = START, end: float = END) -> tuple[list[tuple[str, str, str]], int]:
    """Issue an invoice: the kind, text and amount of its lines, and the total in cents. It can be proved."""
    draft = await book.draft("acme", start, end, actor=ACTOR)
    lines = [(one.kind, one.text, f"{Decimal(one.amount) / 100:f}") for one in draft.shown.lines]
    number = (await book.issue(draft.id, actor=ACTOR)).name
    assert await verify(book, number) == []
    return lines, draft.total


async def again(database: Database, call: str, credits: int, day: str) -> None:
    """Let a call cost so much instead."""
    row: Any = await get_call(database, call)
    wanted = Correction(
        row=row, cost=0, charge=credits * NANO - (row.charge or 0), price_version=None, selling=None
    )
    with patch.object(price_adjustments, "time", SimpleNamespace(time=lambda: at(day))):
        assert len(await adjust(database, [wanted], reason="again", actor=ACTOR)) == 1
