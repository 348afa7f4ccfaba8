"""What is done besides calls: credit expires, forgotten holds are let go, and low balances are told of.

One worker does it, as long as its lease lasts; each tells of the accounts that its own calls have touched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from typing import Final

from sqlalchemy import case, delete, exists, insert, or_, select, update

from gateway.errors import Unavailable
from gateway.ids import Ids
from gateway.rounds import Rounds
from gateway.store import Database
from gateway.store.notices import notice, post
from gateway.store.tables import model_calls
from gateway.store.upsert import insert_into
from gateway_credits.account import Account, shown
from gateway_credits.book import Book
from gateway_credits.grants import of
from gateway_credits.tables import OPEN, accounts, balances, events, grants, holds, leases

_LEASE: Final = 30.0
_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 60.0
"""How often the leader looks at all accounts: a worker that was killed may not have told of those it touched."""
_WRITTEN_SECONDS: Final = 10.0
"""For how long a touched account is looked at: its call is written a while after it has ended."""
_KEPT: Final = 86_400.0
"""For so many seconds after its lease the row of a settled hold stays."""


class Keeper(Rounds):
    """Looks around every `pause` seconds. `low` is the available credit under which an account counts as low."""

    def __init__(
        self,
        book: Book,
        *,
        touched: set[tuple[str, str]],
        low: int,
        floor: int,
        pause: float,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("credits: keeper", pause=pause, log=log, at_once=False)
        self._book = book
        self._database: Database = book.database
        self._touched = touched
        self._low = low
        self._floor = floor
        self._clock = clock
        self._worker = Ids()()
        self._looked_at: float | None = None
        self._watched: dict[Account, float] = {}
        """The accounts that are looked at, and until when by the monotonic clock."""

    async def stop(self) -> None:
        """End, and let another one lead at once."""
        if self._task is None:
            return
        await super().stop()
        try:
            await self.tell()
            async with self._database.begin() as connection:
                await connection.execute(delete(leases).where(leases.c.worker == self._worker))
        except Unavailable as error:
            self._log.warning("the lease on the credits stays until it runs out: %s", error.message)

    async def go_round(self) -> None:
        """Tell of accounts, and keep the books where this worker leads. Raises `Unavailable`."""
        if leads := await self.lead():
            await self.look_around()
        await self.tell()
        if leads:
            await self.expire()
            await self.reap()

    async def lead(self) -> bool:
        """Be the one who keeps the books for the next half minute; return whether that succeeded."""
        now = self._clock()
        row = {"name": "keeper", "worker": self._worker, "leased_until": now + _LEASE}
        async with self._database.begin() as connection:
            taken = (
                insert_into(connection, leases)
                .values(**row)
                .on_conflict_do_update(
                    index_elements=[leases.c.name],
                    set_={"worker": self._worker, "leased_until": now + _LEASE},
                    where=or_(leases.c.worker == self._worker, leases.c.leased_until <= now),
                )
            )
            return (await connection.execute(taken)).rowcount == 1

    async def look_around(self) -> None:
        """Find the accounts whose level was not told of, once a minute."""
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        balance = balances.c.balance
        levels = ((balance <= max(self._floor, 0), "exhausted"), (balance < self._low, "low"))
        query = (
            select(balances.c.tenant, balances.c.owner)
            .join(accounts, (accounts.c.tenant == balances.c.tenant) & (accounts.c.owner == balances.c.owner))
            .where(case(*levels, else_="ok") != accounts.c.level)
        )
        async with self._database.connect() as connection:
            self._touched.update(Account(*row) for row in await connection.execute(query))
        self._looked_at = now

    async def expire(self) -> None:
        """Book what has expired."""
        late = select(grants.c.tenant, grants.c.owner).where(
            grants.c.remaining > 0, grants.c.expires_at <= self._clock()
        )
        async with self._database.connect() as connection:
            found = (await connection.execute(late.distinct().limit(_AT_ONCE))).all()
        for row in found:
            await self._book.balance(Account(row.tenant, row.owner))

    async def reap(self) -> None:
        """Let go of holds past their lease whose calls do not run any more; forget those settled long ago."""
        now = self._clock()
        running = exists().where(model_calls.c.id == holds.c.call, model_calls.c.status == "processing")
        query = select(holds.c.call).where(OPEN, holds.c.expires_at <= now, ~running).limit(_AT_ONCE)
        async with self._database.connect() as connection:
            found = (await connection.execute(query)).scalars().all()
        for call in found:
            async with self._database.begin() as connection:
                ended = update(holds).where(holds.c.call == call, OPEN).values(status="expired")
                row = (await connection.execute(ended.returning(holds))).one_or_none()
                if row is not None:
                    less = update(balances).where(*of(balances, Account(row.tenant, row.owner)))
                    await connection.execute(less.values(held=balances.c.held - row.amount))
                    self._log.warning("%s: its hold of %s credits was forgotten", call, shown(row.amount))
        old = select(holds.c.call).where(holds.c.status != "held", holds.c.expires_at <= now - _KEPT)
        async with self._database.begin() as connection:
            await connection.execute(delete(holds).where(holds.c.call.in_(old.limit(_AT_ONCE))))

    async def tell(self) -> None:
        """Write an event for each touched account that has become low, or has nothing left."""
        now = time.monotonic()
        self._watched.update((Account(*each), now + _WRITTEN_SECONDS) for each in self._touched)
        self._touched.clear()
        watched = [*self._watched]
        for start in range(0, len(watched), _AT_ONCE):
            await self._tell(watched[start : start + _AT_ONCE])
        self._watched = {account: until for account, until in self._watched.items() if until > now}

    async def _tell(self, some: Collection[Account]) -> None:
        tenants, wanted = {account.tenant for account in some}, set(some)
        query = (
            select(balances, accounts.c.level)
            .join(accounts, (accounts.c.tenant == balances.c.tenant) & (accounts.c.owner == balances.c.owner))
            .where(balances.c.tenant.in_(tenants), balances.c.owner.in_({account.owner for account in some}))
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            account, available = Account(row.tenant, row.owner), row.balance - row.held
            level = self._level(row.balance)
            if account not in wanted or level == row.level:
                continue
            async with self._database.begin() as connection:
                was = (*of(accounts, account), accounts.c.level == row.level)
                moved = await connection.execute(update(accounts).where(*was).values(level=level))
                if moved.rowcount == 0 or level == "ok" or (row.level, level) == ("exhausted", "low"):
                    continue
                now = self._clock()
                event = {"at": now, "tenant": account.tenant, "owner": account.owner}
                noted = insert(events).values(**event, kind=level, available=available)
                number = await connection.scalar(noted.returning(events.c.position))
                told = {"level": level, "balance_nano": row.balance, "available_nano": available}
                what = (*account, level, number)
                user = account.owner or None
                await post(
                    connection,
                    notice("balance", *what, tenant=account.tenant, user=user, at=now, data=told),
                )
            self._log.warning("%s: credit is %s, %s left", account.shown, level, shown(row.balance))

    def _level(self, balance: int) -> str:
        if balance <= max(self._floor, 0):
            return "exhausted"
        return "low" if balance < self._low else "ok"
