"""What pricing again adds to calls, booked where the calls were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from gateway.store.notices import digest
from gateway.store.price_adjustments import Adjustment, sums_of
from gateway.store.tables import model_calls
from gateway_credits.account import REVENUE, Account, Per
from gateway_credits.grants import add_grant, change, lock
from gateway_credits.tables import accounts, entries, transactions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

MIDDLE = 50
"""The priority of grants that are given none."""


class Adjuster:
    """`gateway.billing.Adjusts`: takes what calls cost more now, and gives back what they cost less.

    What is given back comes as a grant without expiry. Calls that ended before their tenant had an account stay out, as
    their charges do.
    """

    def __init__(self, per: Per) -> None:
        self._of_user = per == "user"

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        """Book a transaction for each adjustment that changes a charge."""
        whose = await self._accounts(connection, [each.call for each in adjustments])
        booked = [each for each in adjustments if each.charge and each.call in whose]
        if not booked:
            return
        totals: dict[Account, int] = defaultdict(int)
        last: dict[Account, tuple[str, float]] = {}
        heads: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        for each in booked:
            account, made, at = whose[each.call], transaction_of(each), each.created_at
            own = {"tenant": account.tenant, "owner": account.owner}
            heads.append({"id": made, "kind": "adjustment", "at": at, **own, "reference": reference_of(each)})
            common = {"at": at, "transaction": made}
            lines.append({**own, **common, "amount": -each.charge})
            lines.append({"tenant": REVENUE.tenant, "owner": REVENUE.owner, **common, "amount": each.charge})
            totals[account] += each.charge
            last[account] = made, at
        for account in sorted(totals):  # all lock in one order
            await lock(connection, account)
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
            .where(call.id.in_(calls), call.ended_at >= first.c.at)
        )
        found: dict[str, Account] = {}
        for row in await connection.execute(query):
            owner = (row.user or "") if row.owner is None and self._of_user else row.owner or ""
            found[row.id] = Account(row.tenant, owner)
        return found


async def adjusted(connection: AsyncConnection, tenant: str, call: str) -> int:
    """What was booked for a call beside its capture: more than 0 where it was taken."""
    count, _, _ = (await sums_of(connection, [call])).get(call, (0, 0, 0))
    one = (transactions.c.id == entries.c.transaction) & (transactions.c.at == entries.c.at)
    references = [f"{call}#{number}" for number in range(1, count + 1)]
    booked = (
        select(func.sum(entries.c.amount))
        .join_from(entries, transactions, one)
        .where(transactions.c.kind == "adjustment", transactions.c.reference.in_(references))
        .where(entries.c.tenant == tenant)
    )
    return -int(await connection.scalar(booked) or 0)


def reference_of(adjustment: Adjustment) -> str:
    """By which its transaction is known, and is only once."""
    return f"{adjustment.call}#{adjustment.number}"


def transaction_of(adjustment: Adjustment) -> str:
    """The id of its transaction: the same for the same adjustment."""
    return f"adj_{digest('adjustment', adjustment.call, adjustment.number)}"
