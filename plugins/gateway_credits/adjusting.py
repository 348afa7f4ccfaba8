"""What pricing again adds to calls, booked where the calls were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from gateway.store.notices import digest
from gateway.store.price_adjustments import Adjustment, sums_of
from gateway.store.tables import model_calls
from gateway_credits.account import REVENUE, Account, Per
from gateway_credits.grants import add_grant, change, lock
from gateway_credits.tables import accounts, entries, transactions

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

MIDDLE = 50
"""The priority of grants that are given none."""


class Adjuster:
    """`gateway.billing.Adjusts`: takes what calls cost more now, and gives back what they cost less.

    What is given back comes as a grant without expiry; what a refund has given back already is not given again. Calls that ended before their tenant had an account stay out, as
    their charges do.
    """

    def __init__(self, per: Per, free: Collection[str] = ()) -> None:
        """`free` are the authenticators whose callers pay nothing here."""
        self._of_user = per == "user"
        self._free = frozenset(free)

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        """Book a transaction for each adjustment that changes what was paid for its call."""
        whose = await self._accounts(connection, [each.call for each in adjustments])
        for account in sorted(set(whose.values())):  # all lock in one order, and before they read
            await lock(connection, account)
        booked = [
            (each, more)
            for each, more in await _differences(connection, adjustments)
            if more and each.call in whose
        ]
        if not booked:
            return
        totals: dict[Account, int] = defaultdict(int)
        last: dict[Account, tuple[str, float]] = {}
        heads: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        for each, more in booked:
            account, made, at = whose[each.call], transaction_of(each), each.created_at
            own = {"tenant": account.tenant, "owner": account.owner}
            heads.append({"id": made, "kind": "adjustment", "at": at, **own, "reference": reference_of(each)})
            common = {"at": at, "transaction": made}
            lines.append({**own, **common, "amount": -more})
            lines.append({"tenant": REVENUE.tenant, "owner": REVENUE.owner, **common, "amount": more})
            totals[account] += more
            last[account] = made, at
        await connection.execute(insert(transactions), heads)
        await connection.execute(insert(entries), lines)
        for account, more in totals.items():
            made, at = last[account]
            if more < 0:
                await add_grant(
                    connection, account, made, -more, kind="paid", priority=MIDDLE, at=at, expires_at=None
                )
            await change(connection, account, balance=-more, undrawn=max(0, more))

    async def _accounts(self, connection: AsyncConnection, calls: Sequence[str]) -> dict[str, Account]:
        """Who paid for each call, or would have, had it cost something; without those of before the first account."""
        call = model_calls.c
        first = (
            select(accounts.c.tenant, func.min(accounts.c.created_at).label("at"))
            .group_by(accounts.c.tenant)
            .subquery()
        )
        captured = (
            (entries.c.tenant == call.tenant)
            & entries.c.owner.in_(("", func.coalesce(call.user, "")))
            & (entries.c.at == call.ended_at)
            & (entries.c.transaction == call.id)
        )
        query = (
            select(call.id, call.tenant, call.user, entries.c.owner)
            .join_from(model_calls, first, first.c.tenant == call.tenant)
            .outerjoin(entries, captured)
            .where(call.id.in_(calls), call.ended_at >= first.c.at, pays(self._free))
        )
        found: dict[str, Account] = {}
        for row in await connection.execute(query):
            owner = (row.user or "") if row.owner is None and self._of_user else row.owner or ""
            found[row.id] = Account(row.tenant, owner)
        return found


def pays(free: Collection[str]) -> ColumnElement[bool]:
    """Whether a call's caller pays with credit; so does one of whom it was not written down who recognised them."""
    return func.coalesce(model_calls.c.authenticator, "").not_in(free)


async def booked_for(connection: AsyncConnection, tenant: str, call: str) -> tuple[Account, int] | None:
    """Who was charged for a call, and how much with all adjustments, refunds aside; None where nothing was booked."""
    user = await connection.scalar(
        select(model_calls.c.user).where(model_calls.c.id == call, model_calls.c.tenant == tenant)
    )
    count, _, _ = (await sums_of(connection, [call])).get(call, (0, 0, 0))
    references = [f"{call}#{number}" for number in range(1, count + 1)]
    book, line = transactions.c, entries.c
    captured = (book.id == call) & (book.kind == "capture")
    adjusted = (book.kind == "adjustment") & book.reference.in_(references)
    query = (
        select(line.tenant, line.owner, func.sum(line.amount).label("amount"))
        .join_from(entries, transactions, (book.id == line.transaction) & (book.at == line.at))
        .where(captured | adjusted, line.tenant == tenant, line.owner.in_({"", user or ""}))
        .group_by(line.tenant, line.owner)
        .order_by("amount")
    )
    row = (await connection.execute(query)).first()
    return None if row is None else (Account(row.tenant, row.owner), -int(row.amount))


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
    one = (transactions.c.id == entries.c.transaction) & (transactions.c.at == entries.c.at)
    query = (
        select(transactions.c.reference, entries.c.amount)
        .join_from(transactions, entries, one)
        .where(transactions.c.kind == "refund", transactions.c.reference.in_(calls), entries.c.tenant != "")
    )
    return {row.reference: row.amount for row in await connection.execute(query)}


def reference_of(adjustment: Adjustment) -> str:
    """By which its transaction is known, and is only once."""
    return f"{adjustment.call}#{adjustment.number}"


def transaction_of(adjustment: Adjustment) -> str:
    """The id of its transaction: the same for the same adjustment."""
    return f"adj_{digest('adjustment', adjustment.call, adjustment.number)}"
