"""Which grants pay for what was spent: by priority, then by expiry, then by age.

Spending changes the balance at once and the grants later: between two events that change their order it makes no
difference when, so that is done just before each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import insert, nulls_last, select, update

from gateway.store.upsert import insert_into
from gateway_credits.account import EXPIRED, Account, Kind
from gateway_credits.tables import balances, grants, journal

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

SPENDING_ORDER: Final = (
    grants.c.priority,
    nulls_last(grants.c.expires_at),
    grants.c.created_at,
    grants.c.id,
)
"""In which the grants of an account are spent."""


class Balance(Struct, frozen=True):
    """A row of `credit_balances`, in 10⁻⁹ credit. `balance` is what its grants have left, minus `undrawn`."""

    balance: int = 0
    held: int = 0
    undrawn: int = 0

    @property
    def available(self) -> int:
        """What calls can still hold."""
        return self.balance - self.held


async def lock(connection: AsyncConnection, account: Account) -> Balance:
    """Let nobody else book on an account until the transaction ends; return its row, which is made if there is none."""
    key = {"tenant": account.tenant, "owner": account.owner}
    empty = insert_into(connection, balances).values(**key, balance=0, held=0, undrawn=0)
    await connection.execute(empty.on_conflict_do_nothing())
    query = select(balances.c.balance, balances.c.held, balances.c.undrawn).where(*of(balances, account))
    row = (await connection.execute(query.with_for_update())).one()
    return Balance(row.balance, row.held, row.undrawn)


def of(table: Any, account: Account) -> tuple[Any, Any]:
    """The condition for an account's rows in a table of this plugin."""
    return table.c.tenant == account.tenant, table.c.owner == account.owner


async def change(
    connection: AsyncConnection, account: Account, *, balance: int = 0, undrawn: int = 0
) -> None:
    """Add to the row of an account that is locked."""
    changed = balances.c.balance + balance
    values = {"balance": changed, "undrawn": balances.c.undrawn + undrawn}
    await connection.execute(update(balances).where(*of(balances, account)).values(values))


async def book(
    connection: AsyncConnection,
    id: str,
    kind: str,
    at: float,
    *,
    account: Account,
    amount: int,
    other: Account | str,
    **more: str | None,
) -> None:
    """Write a transaction: the account gains the amount, and the other side, which may be the gateway's own, loses it.

    `more` are a reference and a note.
    """
    tenant, owner = other if isinstance(other, Account) else (None, other)
    row = {"tenant": account.tenant, "owner": account.owner, "at": at, "id": id, "kind": kind}
    sides = {"amount": amount, "other_tenant": tenant, "other_owner": owner}
    await connection.execute(insert(journal).values(**row, **sides, **more))


async def add_grant(
    connection: AsyncConnection,
    account: Account,
    id: str,
    amount: int,
    *,
    kind: Kind,
    priority: int,
    at: float,
    expires_at: float | None,
) -> None:
    """Write a new grant of an account that is locked; the transaction is for the caller to write."""
    await connection.execute(
        insert(grants).values(
            id=id,
            tenant=account.tenant,
            owner=account.owner,
            kind=kind,
            priority=priority,
            amount=amount,
            remaining=amount,
            created_at=at,
            expires_at=expires_at,
        )
    )


async def open_grants(connection: AsyncConnection, account: Account) -> Sequence[Row[Any]]:
    """The grants with something left, in the order in which they are spent."""
    query = select(grants).where(*of(grants, account), grants.c.remaining > 0).order_by(*SPENDING_ORDER)
    return (await connection.execute(query)).all()


async def draw(
    connection: AsyncConnection, found: Sequence[Row[Any]], amount: int
) -> list[tuple[Row[Any], int]]:
    """Take an amount from grants in their order, as far as they go; return what each gave."""
    given: list[tuple[Row[Any], int]] = []
    for grant in found:
        if amount <= 0:
            break
        part = min(amount, grant.remaining)
        await take(connection, grant.id, part)
        given.append((grant, part))
        amount -= part
    return given


async def take(connection: AsyncConnection, grant: str, amount: int) -> None:
    """Take from one grant."""
    less = grants.c.remaining - amount
    await connection.execute(update(grants).where(grants.c.id == grant).values(remaining=less))


async def draw_up(connection: AsyncConnection, account: Account) -> Balance:
    """Lock an account, and take from its grants what was spent; what they do not have stays `undrawn`."""
    found = await lock(connection, account)
    if found.undrawn:
        given = await draw(connection, await open_grants(connection, account), found.undrawn)
        drawn = sum(part for _, part in given)
        if drawn:
            await change(connection, account, undrawn=-drawn)
            found = Balance(found.balance, found.held, found.undrawn - drawn)
    return found


async def settle_up(
    connection: AsyncConnection, account: Account, now: float, new_id: Callable[[], str]
) -> Balance:
    """Lock an account, take from its grants what was spent, and let expire what is past its time.

    What running calls hold does not expire under them: it does once they have ended, if they did not need it.
    """
    found = await draw_up(connection, account)
    late = grants.c.expires_at <= now
    query = select(grants.c.id, grants.c.remaining).where(*of(grants, account), grants.c.remaining > 0, late)
    for grant in (await connection.execute(query.order_by(grants.c.expires_at, grants.c.id))).all():
        part = min(grant.remaining, max(0, found.available))
        if part:
            less = {"remaining": grants.c.remaining - part, "expired": grants.c.expired + part}
            await connection.execute(update(grants).where(grants.c.id == grant.id).values(less))
            await change(connection, account, balance=-part)
            made = new_id()
            await book(
                connection, made, "expiry", now, account=account, amount=-part, other=EXPIRED, note=grant.id
            )
            found = Balance(found.balance - part, found.held, found.undrawn)
    return found
