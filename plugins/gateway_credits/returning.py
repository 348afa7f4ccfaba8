"""Where credit goes that a call turns out not to have needed: to the grants that it came from.

Which grant paid for a call is not written down, but follows from the order in which they are spent. Had the call cost
less from the beginning, the last one that was spent since would have as much more, unless one before it was never used
up: then nothing after that one was touched while it lasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select, update

from gateway_credits.account import Account
from gateway_credits.grants import SPENDING_ORDER, of
from gateway_credits.tables import grants

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class Back(Struct):
    """What is to go back, in 10⁻⁹ credit, for a call of that time (Unix seconds)."""

    amount: int
    received_at: float
    ended_at: float


class _Grant(Struct):
    id: str
    amount: int
    remaining: int
    expired: int
    created_at: float
    expires_at: float | None

    @property
    def spent(self) -> int:
        return self.amount - self.remaining - self.expired

    def could_pay(self, call: Back) -> bool:
        """Whether it was there; what a call holds when it comes in does not expire under it."""
        return self.created_at <= call.ended_at and (
            self.expires_at is None or self.expires_at > call.received_at
        )


async def give_back(connection: AsyncConnection, account: Account, backs: Sequence[Back]) -> int:
    """Give back to the grants of an account that is locked and drawn up; return what none of them had given.

    What goes back to a grant past its time expires with what it has left.
    """
    columns = (grants.c[name] for name in _Grant.__struct_fields__)
    query = select(*columns).where(*of(grants, account)).order_by(*SPENDING_ORDER)
    known = [_Grant(*row) for row in await connection.execute(query)]
    before = {one.id: one.remaining for one in known}
    rest = sum(_give(known, back) for back in backs)
    for one in known:
        if one.remaining != before[one.id]:
            changed = update(grants).where(grants.c.id == one.id)
            await connection.execute(changed.values(remaining=one.remaining))
    return rest


def _give(known: Sequence[_Grant], back: Back) -> int:
    """Give back for a call to the last that paid, and then to those before it; return what is left over."""
    paid: list[_Grant] = []
    for one in known:
        if one.could_pay(back):
            paid.append(one)
            if one.remaining or one.expired:
                break
    left = back.amount
    for one in reversed(paid):
        part = min(left, max(0, one.spent))
        one.remaining += part
        left -= part
    return left
