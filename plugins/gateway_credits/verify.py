"""Proves that the books are right, or tells what is not: each check asks the database for what contradicts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import String, case, cast, false, func, literal, or_, select, union_all

from gateway.store.tables import model_calls, price_adjustments
from gateway_credits.account import EXPIRED, PAID, PROMOTIONAL, REVENUE, Account, shown
from gateway_credits.adjusting import pays
from gateway_credits.tables import OPEN, accounts, balances, grants, holds, journal

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database

_PROBLEMS = 100
_Check: TypeAlias = tuple[Any, Callable[[Any], str]]
"""A query for what contradicts the books, and how to tell of a row that it finds."""


async def verify(
    database: Database, *, since: float | None = None, free: Collection[str] = ()
) -> AsyncIterator[str]:
    """Yield what is wrong, in the books as they are at one moment; nothing when they are right.

    `free` are the authenticators whose callers pay nothing here. Calls are looked at from `since` on (Unix seconds, of their end), or since their tenant has had an account.
    """
    async with database.connect() as connection:
        if database.dialect == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        for query, tell in (*_journal(), *_sums(), *_calls(since, free)):
            async for problem in _ask(connection, query, tell):
                yield problem


async def _ask(connection: AsyncConnection, query: Any, tell: Callable[[Any], str]) -> AsyncIterator[str]:
    for row in (await connection.execute(query.limit(_PROBLEMS))).all():
        yield tell(row)


def _journal() -> list[_Check]:
    """Each transaction moves something, once, between an account and another one or what is the gateway's own.

    Both sides are in one row, so that they cannot differ. No search for each: there may be millions.
    """
    one = journal.c
    to_itself = (one.other_tenant == one.tenant) & (one.other_owner == one.owner)
    own = case(
        (one.kind.in_(("grant", "take_back")), one.other_owner.in_((PAID, PROMOTIONAL))),
        (one.kind.in_(("capture", "refund", "adjustment")), one.other_owner == REVENUE),
        (one.kind == "welcome", one.other_owner == PROMOTIONAL),
        (one.kind == "expiry", one.other_owner == EXPIRED),
        else_=false(),
    )
    named = one.other_tenant.is_not(None) & (one.other_tenant != "")
    proper = case((one.kind == "transfer", named), else_=one.other_tenant.is_(None) & own)
    wrong = or_(one.amount == 0, one.tenant == "", to_itself, ~proper)
    again = select(one.id).group_by(one.id).having(func.count() > 1)
    return [
        (select(one.id).where(wrong), lambda row: f"transaction {row.id} is not between two proper sides"),
        (again, lambda row: f"transaction {row.id} is in the journal more than once"),
    ]


def _sums() -> list[_Check]:
    """Balances are the sums of the journal and of what grants have left; what is held is the sum of open holds."""
    nothing = literal(0)
    other = (journal.c.other_tenant, journal.c.other_owner)
    given = select(*other, nothing, -journal.c.amount, nothing, nothing, nothing)
    parts = union_all(
        _part(balances, balances.c.balance, nothing, balances.c.held, nothing, balances.c.undrawn),
        _part(journal, nothing, journal.c.amount, nothing, nothing, nothing),
        given.where(journal.c.other_tenant.is_not(None)),
        _part(holds, nothing, nothing, -holds.c.amount, nothing, nothing).where(OPEN),
        _part(grants, nothing, nothing, nothing, grants.c.remaining, nothing),
    ).subquery()
    balance, entered, held, left, undrawn = (func.sum(column) for column in list(parts.c)[2:])
    query = (
        select(
            parts.c.tenant,
            parts.c.owner,
            balance.label("balance"),
            entered.label("entered"),
            held.label("held"),
            (left - undrawn).label("left"),
        )
        .group_by(parts.c.tenant, parts.c.owner)
        .having(or_(balance != entered, held != 0, balance != left - undrawn))
    )
    impossible = select(grants.c.id).where(or_(grants.c.remaining < 0, grants.c.remaining > grants.c.amount))
    return [
        (query, _of_account),
        (impossible, lambda row: f"grant {row.id} has less than nothing left, or more than it was"),
    ]


def _part(table: Any, *columns: Any) -> Any:
    names = ("balance", "entered", "held", "remaining", "undrawn")
    named = (column.label(name) for column, name in zip(columns, names, strict=True))
    return select(table.c.tenant, table.c.owner, *named)


def _of_account(row: Any) -> str:
    who = Account(row.tenant, row.owner).shown
    if row.balance != row.entered:
        told = (
            f"has a balance of {shown(int(row.balance))}, but the journal sums to {shown(int(row.entered))}"
        )
    elif row.held != 0:
        told = f"holds {shown(int(row.held))} more than its open holds"
    else:
        told = f"has a balance of {shown(int(row.balance))}, but grants have {shown(int(row.left))} left"
    return f"account {who} {told}"


def _calls(since: float | None, free: Collection[str]) -> list[_Check]:
    """Each settled call with a charge was captured in exactly that amount, its adjustments too, and nothing else was."""
    call, due = model_calls.c, case((pays(free), func.coalesce(model_calls.c.charge, 0)), else_=0)
    taken = (
        select(journal.c.id, func.sum(-journal.c.amount).label("amount"))
        .where(journal.c.kind == "capture")
        .group_by(journal.c.id)
        .subquery()
    )
    captured = func.coalesce(taken.c.amount, 0)
    first = (
        select(accounts.c.tenant, func.min(accounts.c.created_at).label("at"))
        .group_by(accounts.c.tenant)
        .subquery()
    )
    query = (
        select(call.id, due.label("charge"), captured.label("captured"))
        .join_from(model_calls, first, first.c.tenant == call.tenant)
        .outerjoin(taken, taken.c.id == call.id)
        .where(call.status != "processing", call.ended_at >= (first.c.at if since is None else since))
        .where(captured != due)
    )
    book, priced = journal.c, price_adjustments.c
    reference = priced.call + "#" + cast(priced.number, String)
    adjusted = (
        select(priced.call, priced.number, priced.charge, book.amount)
        .join_from(price_adjustments, model_calls, call.id == priced.call)
        .join(first, (first.c.tenant == call.tenant) & (call.ended_at >= first.c.at))
        .outerjoin(
            journal,
            (book.kind == "adjustment") & (book.reference == reference) & (book.tenant == priced.tenant),
        )
        .where(func.coalesce(book.amount, 0) != -priced.charge, ~_refund_of(priced.call).exists())
        .where(pays(free))
    )
    if since is not None:
        adjusted = adjusted.where(call.ended_at >= since)
    of_none = select(priced.call).where(reference == book.reference).exists()
    made_up = select(book.id).where(book.kind == "adjustment", ~of_none)
    running = (
        select(call.id)
        .join_from(model_calls, taken, taken.c.id == call.id)
        .where(call.status == "processing")
    )
    return [
        (
            query,
            lambda row: (
                f"call {row.id} was charged {shown(int(row.charge))}, but {shown(int(row.captured))} captured"
            ),
        ),
        (
            adjusted,
            lambda row: (
                f"adjustment {row.number} of call {row.call} is {shown(row.charge)}, "
                f"but {shown(-(row.amount or 0))} is booked"
            ),
        ),
        (made_up, lambda row: f"transaction {row.id} books an adjustment that there is not"),
        (running, lambda row: f"call {row.id} was captured, but is not settled"),
        (_refunded(first, since), _of_refund),
    ]


def _refunded(first: Any, since: float | None) -> Any:
    """Calls with a refund of which something else is paid than what they cost beyond it, and at least nothing."""
    call, priced = model_calls.c, price_adjustments.c
    back, book = journal.alias(), journal.alias()
    reference = priced.call + "#" + cast(priced.number, String)
    adjusted = (
        select(
            priced.call,
            func.sum(priced.charge).label("charge"),
            func.sum(-func.coalesce(book.c.amount, 0)).label("booked"),
        )
        .join_from(price_adjustments, back, (back.c.kind == "refund") & (back.c.reference == priced.call))
        .outerjoin(book, (book.c.kind == "adjustment") & (book.c.reference == reference))
        .group_by(priced.call)
        .subquery()
    )
    captured, refund = func.coalesce(call.charge, 0), back.c.amount
    cost = captured + func.coalesce(adjusted.c.charge, 0)
    paid = captured + func.coalesce(adjusted.c.booked, 0) - refund
    due = case((cost > refund, cost - refund), else_=0)
    query = (
        select(call.id, cost.label("cost"), refund.label("refund"), paid.label("paid"))
        .join_from(back, model_calls, call.id == back.c.reference)
        .join(first, (first.c.tenant == call.tenant) & (call.ended_at >= first.c.at))
        .outerjoin(adjusted, adjusted.c.call == call.id)
        .where(back.c.kind == "refund", paid != due)
    )
    return query if since is None else query.where(call.ended_at >= since)


def _refund_of(call: Any) -> Any:
    back = journal.alias()
    return select(back.c.id).where(back.c.kind == "refund", back.c.reference == call)


def _of_refund(row: Any) -> str:
    return (
        f"call {row.id} costs {shown(int(row.cost))} and {shown(int(row.refund))} were refunded, "
        f"but {shown(int(row.paid))} are paid"
    )
