"""What pricing again adds to calls, booked where the calls were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, insert, select, union_all

from gateway.store.notices import digest
from gateway.store.price_adjustments import Adjustment, sums_of
from gateway.store.tables import model_calls
from gateway_credits.account import REVENUE, Account, Per
from gateway_credits.grants import add_grant, change, draw_up, lock
from gateway_credits.returning import Back, give_back
from gateway_credits.tables import accounts, journal

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

MIDDLE = 50
"""The priority of grants that are given none."""


class _Payer(NamedTuple):
    """Who paid for a call, and when that was."""

    account: Account
    received_at: float
    ended_at: float


class Adjuster:
    """`gateway.billing.Adjusts`: takes what calls cost more now, and gives back what they cost less.

    What is given back goes to the grants that it came from; what a refund has given back already is not given again.
    Calls that ended before their tenant had an account stay out, as their charges do.
    """

    def __init__(self, per: Per, free: Collection[str] = ()) -> None:
        """`free` are the authenticators whose callers pay nothing here."""
        self._of_user = per == "user"
        self._free = frozenset(free)

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        """Book a transaction for each adjustment that changes what was paid for its call."""
        whose = await self._accounts(connection, [each.call for each in adjustments])
        # All lock in one order, and before they read.
        for account in sorted({paid.account for paid in whose.values()}):
            await lock(connection, account)
        booked = [
            (each, more)
            for each, more in await _differences(connection, adjustments)
            if more and each.call in whose
        ]
        if not booked:
            return
        changes: dict[Account, list[tuple[Adjustment, int]]] = defaultdict(list)
        rows: list[dict[str, Any]] = []
        for each, more in booked:
            account = whose[each.call].account
            own = {"tenant": account.tenant, "owner": account.owner, "at": each.created_at}
            sides = {"kind": "adjustment", "amount": -more, "other_owner": REVENUE}
            rows.append({**own, "id": transaction_of(each), **sides, "reference": reference_of(each)})
            changes[account].append((each, more))
        await connection.execute(insert(journal), rows)
        for account, theirs in changes.items():
            dearer = sum(more for _, more in theirs if more > 0)
            await change(connection, account, balance=-sum(more for _, more in theirs), undrawn=dearer)
            backs = [
                Back(-more, whose[each.call].received_at, whose[each.call].ended_at)
                for each, more in theirs
                if more < 0
            ]
            if backs:
                last, _ = theirs[-1]
                await self._give_back(connection, account, backs, transaction_of(last), last.created_at)

    async def _give_back(
        self, connection: AsyncConnection, account: Account, backs: Sequence[Back], made: str, at: float
    ) -> None:
        """Pay debts, then give back to the grants; what came from none of them, as of a debt paid since, is a new one."""
        debt = (await draw_up(connection, account)).undrawn
        for back in backs:
            paid = min(debt, back.amount)
            back.amount -= paid
            debt -= paid
            await change(connection, account, undrawn=-paid)
        if rest := await give_back(connection, account, backs):
            await add_grant(
                connection, account, made, rest, kind="paid", priority=MIDDLE, at=at, expires_at=None
            )

    async def _accounts(self, connection: AsyncConnection, calls: Sequence[str]) -> dict[str, _Payer]:
        """Who paid for each call, or would have, had it cost something; without those of before the first account."""
        call = model_calls.c
        first = (
            select(accounts.c.tenant, func.min(accounts.c.created_at).label("at"))
            .group_by(accounts.c.tenant)
            .subquery()
        )
        captured = (
            (journal.c.tenant == call.tenant)
            & journal.c.owner.in_(("", func.coalesce(call.user, "")))
            & (journal.c.at == call.ended_at)
            & (journal.c.id == call.id)
        )
        query = (
            select(call.id, call.tenant, call.user, call.received_at, call.ended_at, journal.c.owner)
            .join_from(model_calls, first, first.c.tenant == call.tenant)
            .outerjoin(journal, captured)
            .where(call.id.in_(calls), call.ended_at >= first.c.at, pays(self._free))
        )
        found: dict[str, _Payer] = {}
        for row in await connection.execute(query):
            owner = (row.user or "") if row.owner is None and self._of_user else row.owner or ""
            found[row.id] = _Payer(Account(row.tenant, owner), row.received_at, row.ended_at)
        return found


def pays(free: Collection[str]) -> ColumnElement[bool]:
    """Whether a call's caller pays with credit; so does one of whom it was not written down who recognised them."""
    return func.coalesce(model_calls.c.authenticator, "").not_in(free)


async def booked_for(connection: AsyncConnection, tenant: str, call: str) -> tuple[Account, int] | None:
    """Who was charged for a call, and how much with all adjustments, refunds aside; None where nothing was booked."""
    made = model_calls.c
    query = select(made.user, made.ended_at).where(made.id == call, made.tenant == tenant)
    known = (await connection.execute(query)).one_or_none()
    user, ended_at = known or (None, None)
    count, _, _ = (await sums_of(connection, [call])).get(call, (0, 0, 0))
    references = [f"{call}#{number}" for number in range(1, count + 1)]
    book = journal.c
    theirs = select(book.owner, book.amount).where(book.tenant == tenant, book.owner.in_({"", user or ""}))
    captured = theirs.where(book.id == call, book.kind == "capture")
    if ended_at is not None:  # else the call was forgotten, and is looked for among all
        captured = captured.where(book.at == ended_at)
    adjusted = theirs.where(book.kind == "adjustment", book.reference.in_(references))
    parts = [captured, adjusted] if references else [captured]  # a search for nothing walks the whole account
    booked = union_all(*parts).subquery()
    sums = select(booked.c.owner, func.sum(booked.c.amount).label("amount")).group_by(booked.c.owner)
    row = (await connection.execute(sums.order_by("amount"))).first()
    return None if row is None else (Account(tenant, row.owner), -int(row.amount))


async def _differences(
    connection: AsyncConnection, adjustments: Sequence[Adjustment]
) -> list[tuple[Adjustment, int]]:
    """What each adjustment changes in what is paid: for a call that costs less than was refunded, that is nothing."""
    calls = sorted({each.call for each in adjustments})
    query = select(model_calls.c.id, model_calls.c.charge).where(model_calls.c.id.in_(calls))
    costs = {row.id: row.charge or 0 for row in await connection.execute(query)}
    for call, (_, _, charge) in (await sums_of(connection, calls)).items():
        costs[call] += charge
    for each in adjustments:
        costs[each.call] -= each.charge  # they are written already
    refunded = await _refunded(connection, calls)
    found: list[tuple[Adjustment, int]] = []
    for each in adjustments:
        back, before = refunded.get(each.call, 0), costs[each.call]
        costs[each.call] = after = before + each.charge
        found.append((each, max(after, back) - max(before, back)))
    return found


async def _refunded(connection: AsyncConnection, calls: Sequence[str]) -> dict[str, int]:
    query = select(journal.c.reference, journal.c.amount).where(
        journal.c.kind == "refund", journal.c.reference.in_(calls)
    )
    return {row.reference: row.amount for row in await connection.execute(query)}


def reference_of(adjustment: Adjustment) -> str:
    """By which its transaction is known, and is only once."""
    return f"{adjustment.call}#{adjustment.number}"


def transaction_of(adjustment: Adjustment) -> str:
    """The id of its transaction: the same for the same adjustment."""
    return f"adj_{digest('adjustment', adjustment.call, adjustment.number)}"
