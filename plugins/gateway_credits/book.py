"""The book of credits: giving, taking back, moving. Everything a person or another plugin may do to an account."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidRequest, QuotaExceeded
from gateway.ids import Ids
from gateway.store.audit import Actor, record
from gateway.store.notices import notice, post
from gateway.store.turns import take_turn
from gateway.store.upsert import insert_into
from gateway_credits import grants
from gateway_credits.account import (
    PAID,
    PROMOTIONAL,
    REVENUE,
    Account,
    Kind,
    Per,
    positive,
    shown,
)
from gateway_credits.adjusting import booked_for
from gateway_credits.grants import Balance, add_grant, book, change, draw, lock, open_grants, settle_up, take
from gateway_credits.tables import accounts, balances, journal

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database

MIDDLE = 50
"""The priority of grants that are given none."""
WELCOME = Actor(kind="gateway", id="billing.credits")


class Welcome(Struct, frozen=True):
    """What every new account begins with."""

    amount: int
    seconds: float | None
    """How long it lasts."""


class Book:
    """`gateway.doors.CreditBook`, and more. Every change is one transaction, and in the audit log."""

    def __init__(
        self,
        database: Database,
        *,
        per: Per,
        welcome: Welcome | None,
        free: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        self.free = free
        """The authenticators whose callers pay nothing here."""
        self._of_user = per == "user"
        self._welcome = welcome
        self._clock = clock
        self.new_id = Ids()

    def account(self, tenant: str, user: str | None = None) -> Account:
        """The account of a tenant's user. Raises `InvalidRequest` for one without a user where accounts are of users."""
        if not tenant:
            raise InvalidRequest("Name the tenant.", param="tenant")
        return Account(tenant, user or "") if self._of_user else Account(tenant)

    def _check(self, account: Account) -> None:
        if account != self.account(account.tenant, account.owner or None):
            raise InvalidRequest(
                f"Accounts are of tenants here, and {account.shown!r} is that of a user.", param="account"
            )

    async def open(self, account: Account) -> None:
        """Make an account, with its welcome; once, however many try at the same time."""
        now = self._clock()
        async with self.database.begin() as connection:
            await self._open(connection, account, now)

    async def balance(self, account: Account) -> Balance:
        """What is there, with expiries and spending booked up to now. An account that is not there has nothing."""
        self._check(account)
        async with self.database.begin() as connection:
            there = select(balances.c.tenant).where(*grants.of(balances, account))
            if (await connection.execute(there)).one_or_none() is None:
                return Balance()
            return await settle_up(connection, account, self._clock(), self.new_id)

    async def grant(
        self,
        tenant: str,
        amount: int,
        *,
        kind: Kind,
        reference: str,
        user: str | None = None,
        expires_at: float | None = None,
        priority: int = MIDDLE,
        actor: Actor = WELCOME,
    ) -> bool:
        """See the protocol. `priority`: 0 is spent first, 100 last."""
        account, now = self.account(tenant, user), self._clock()
        positive(amount)
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("A grant must expire in the future.", param="expires_at")
        async with self._change(account, "grant", reference, amount) as connection:
            if connection is None:
                return False
            await self._settled(connection, account, now)
            source = PAID if kind == "paid" else PROMOTIONAL
            made = await self._book(connection, "grant", account, amount, source, now, reference)
            await add_grant(
                connection, account, made, amount, kind=kind, priority=priority, at=now, expires_at=expires_at
            )
            await change(connection, account, balance=amount)
            await self._note(
                connection, actor, "credit.grant", account, made, amount, kind=kind, reference=reference
            )
        return True

    async def take_back(
        self,
        tenant: str,
        amount: int,
        *,
        grant: str,
        reference: str,
        user: str | None = None,
        actor: Actor = WELCOME,
    ) -> bool:
        """See the protocol."""
        account, now = self.account(tenant, user), self._clock()
        positive(amount)
        async with self._change(account, "take_back", reference, amount) as connection:
            if connection is None:
                return False
            await self._settled(connection, account, now)
            given = await _referred(connection, "grant", grant)
            if given is None or (given.tenant, given.owner) != account:
                raise InvalidRequest(
                    f"{account.shown} was granted nothing under the reference {grant!r}.", param="grant"
                )
            query = select(grants.grants).where(grants.grants.c.id == given.id)
            row = (await connection.execute(query)).one()
            if amount > row.amount:
                raise InvalidRequest(
                    f"That grant was of {shown(row.amount)} credits; more cannot be taken back.",
                    param="amount",
                )
            there = min(amount, row.remaining)
            await take(connection, row.id, there)
            await change(connection, account, balance=-amount, undrawn=amount - there)
            to = PAID if row.kind == "paid" else PROMOTIONAL
            made = await self._book(connection, "take_back", account, -amount, to, now, reference)
            await self._note(
                connection,
                actor,
                "credit.take_back",
                account,
                made,
                amount,
                grant=row.id,
                reference=reference,
            )
        return True

    async def refund(self, tenant: str, call: str, amount: int | None = None, *, actor: Actor) -> int:
        """Give back what a call was charged, or a part of it; once for each call. Return how much, 0 if done before.

        It comes back as a grant without expiry. When the call is priced again later, what it costs beyond its refund is
        paid, and never less than nothing. Raises `InvalidRequest` for a call that was charged nothing, or less.
        """
        now = self._clock()
        async with self.database.begin() as connection:
            found = await booked_for(connection, tenant, call)
            if found is None:
                raise InvalidRequest(
                    f"No call {call!r} of {tenant!r} was charged.", status=404, code="not_found"
                )
            account, _ = found
            await self._settled(connection, account, now)
            if await _referred(connection, "refund", call) is not None:
                return 0
            # Anew under the lock: it may have been priced again meanwhile.
            _, charged = await booked_for(connection, tenant, call) or found
            back = max(0, charged) if amount is None else positive(amount)
            if back > charged or not back:
                raise InvalidRequest(
                    f"That call was charged {shown(charged)} credits, not more.", param="amount"
                )
            made = await self._book(connection, "refund", account, back, REVENUE, now, call)
            await add_grant(
                connection, account, made, back, kind="paid", priority=MIDDLE, at=now, expires_at=None
            )
            await change(connection, account, balance=back)
            told = {"call": call, "amount_nano": back, "account": account.shown, "transaction": made}
            user = account.owner or None
            await post(connection, notice("refund", call, tenant=tenant, user=user, at=now, data=told))
            await self._note(connection, actor, "credit.refund", account, made, back, call=call)
        return back

    async def transfer(
        self, source: Account, to: Account, amount: int, *, reference: str | None, actor: Actor
    ) -> bool:
        """Move credit, which keeps its kind, priority and expiry; return False when that was done before.

        Raises `QuotaExceeded` when the source has too little that is not held, `InvalidRequest` for a transfer to itself.
        """
        now = self._clock()
        positive(amount)
        self._check(source)
        self._check(to)
        if source == to:
            raise InvalidRequest("An account cannot transfer credit to itself.", param="to")
        async with self._change(source, "transfer", reference, amount, to) as connection:
            if connection is None:
                return False
            await self._settled(connection, to, now)
            found = await self._settled(connection, source, now)
            if found.available < amount:
                raise QuotaExceeded(f"{source.shown} has only {shown(found.available)} credits available.")
            made = await self._book(connection, "transfer", source, -amount, to, now, reference)
            given = await draw(connection, await open_grants(connection, source), amount)
            for number, (row, part) in enumerate(given):
                await add_grant(
                    connection,
                    to,
                    f"{made}-{number}",
                    part,
                    kind=row.kind,
                    priority=row.priority,
                    at=row.created_at,
                    expires_at=row.expires_at,
                )
            await change(connection, source, balance=-amount)
            await change(connection, to, balance=amount)
            await self._note(connection, actor, "credit.transfer", source, made, amount, to=to.shown)
        return True

    async def _settled(self, connection: AsyncConnection, account: Account, now: float) -> Balance:
        await self._open(connection, account, now)
        return await settle_up(connection, account, now, self.new_id)

    async def _open(self, connection: AsyncConnection, account: Account, now: float) -> None:
        key = {"tenant": account.tenant, "owner": account.owner}
        new = insert_into(connection, accounts).values(**key, created_at=now, level="ok")
        made = await connection.execute(new.on_conflict_do_nothing().returning(accounts.c.tenant))
        welcome = self._welcome
        if made.one_or_none() is None or welcome is None:
            return
        await lock(connection, account)
        amount = welcome.amount
        made = await self._book(connection, "welcome", account, amount, PROMOTIONAL, now)
        until = None if welcome.seconds is None else now + welcome.seconds
        await add_grant(
            connection, account, made, amount, kind="promotional", priority=MIDDLE, at=now, expires_at=until
        )
        await change(connection, account, balance=amount)

    @asynccontextmanager
    async def _change(
        self, account: Account, kind: str, reference: str | None, amount: int, *others: Account
    ) -> AsyncGenerator[AsyncConnection | None]:
        """Begin a change of accounts, locked; None when one of that kind was made under that reference before.

        Raises `InvalidRequest` (409) when that was another one.
        """
        async with self.database.begin() as connection:
            if others:
                await take_turn(connection)
            for each in sorted((account, *others)):  # all lock in one order
                await self._open(connection, each, self._clock())
                await lock(connection, each)
            before = None if reference is None else await _referred(connection, kind, reference)
            if before is None:
                try:
                    yield connection
                except IntegrityError as error:  # for another account at this very moment
                    raise _used(reference) from error
                return
            same = (before.tenant, before.owner) == account and abs(before.amount) == amount
            if not same or (others and (before.other_tenant, before.other_owner) not in others):
                raise _used(reference)
        yield None

    async def _book(
        self,
        connection: AsyncConnection,
        kind: str,
        account: Account,
        amount: int,
        other: Account | str,
        now: float,
        reference: str | None = None,
    ) -> str:
        made = self.new_id()
        await book(
            connection, made, kind, now, account=account, amount=amount, other=other, reference=reference
        )
        return made

    async def _note(
        self,
        connection: AsyncConnection,
        actor: Actor,
        action: str,
        account: Account,
        transaction: str,
        amount: int,
        **more: Any,
    ) -> None:
        after = {"account": account.shown, "amount_nano": amount, **more}
        await record(connection, actor, action, transaction, tenant=account.tenant, after=after)


async def _referred(connection: AsyncConnection, kind: str, reference: str) -> Row[Any] | None:
    query = select(journal).where(journal.c.kind == kind, journal.c.reference == reference)
    return (await connection.execute(query)).one_or_none()


def _used(reference: str | None) -> InvalidRequest:
    return InvalidRequest(
        f"The reference {reference!r} was used for another booking.",
        status=409,
        code="reference_used",
        param="reference",
    )
