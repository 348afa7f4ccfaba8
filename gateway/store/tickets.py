"""What may be used once: sign-in links, challenges, nonces, the states of a sign-in under way. Shared by all workers."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import Unavailable
from gateway.store.identity_tables import tickets
from gateway.store.upsert import insert_into
from gateway.store.writes import Fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.errors import GatewayError
    from gateway.store.database import Database

UNDER_WAY: Final = 20_000
"""How many sign-ins of a kind may be under way at the same time, whoever began them."""

_BYTES = 24
_SWEEP = 500


class Tickets:
    """The tickets of one purpose. Only digests are stored, and about `most` at the same time, where that is told."""

    def __init__(self, database: Database, purpose: str, *, most: int | None = None) -> None:
        self._database = database
        self._purpose = purpose
        self._most = most

    async def issue(self, data: Any = None, *, seconds: float, token: str | None = None) -> str:
        """Store `data` (JSON) under a new token, or under one that the caller made; return the token.

        Raises `Unavailable` when there are `most` already.
        """
        token = token or secrets.token_urlsafe(_BYTES)
        now = time.time()
        async with self._database.begin() as connection:
            await connection.execute(delete(tickets).where(tickets.c.expires_at <= now))
            if self._most is not None and await self._full(connection, self._most):
                raise Unavailable(
                    "Too many people are signing in at this moment. Try again in a minute.",
                    headers=[(b"retry-after", b"60")],
                )
            await connection.execute(
                insert(tickets).values(
                    purpose=self._purpose, digest=_digest(token), data=data, expires_at=now + seconds
                )
            )
        return token

    async def look(self, token: str) -> Any:
        """Return the data of a ticket that stays; None when there is none, or no longer."""
        async with self._database.connect() as connection:
            row = (await connection.execute(select(tickets).where(*self._is(token)))).one_or_none()
        return None if row is None else row.data

    async def change(self, token: str, data: Any, *, seconds: float | None = None) -> bool:
        """Replace the data of a ticket; with `seconds` it also ends later or sooner. False when there is none."""
        values: dict[str, Any] = {"data": data}
        if seconds is not None:
            values["expires_at"] = time.time() + seconds
        async with self._database.begin() as connection:
            done = await connection.execute(update(tickets).where(*self._is(token)).values(**values))
        return done.rowcount == 1

    async def redeem(self, token: str) -> Any:
        """Return the data of a ticket and take it out of use, whoever else tries at the same moment; None without one.

        A ticket without data gives True.
        """
        async with self._database.begin() as connection:
            statement = delete(tickets).where(*self._is(token)).returning(tickets.c.data)
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return True if row.data is None else row.data

    async def spend(self, value: str, *, seconds: float) -> bool:
        """Note that a value was used; False when it was already, by any worker, within its time."""
        try:
            await self.issue(seconds=seconds, token=value)
        except IntegrityError:
            return False
        return True

    async def count(self, value: str, *, seconds: float) -> tuple[int, float]:
        """Count a value once more, for so long from its first time on; return how often it was, and until when that holds.

        The time is in Unix seconds. Raises `Unavailable`.
        """
        now, row = time.time(), {"purpose": self._purpose, "digest": _digest(value)}
        mine = [tickets.c[name] == of_it for name, of_it in row.items()]
        async with self._database.begin() as connection:
            await connection.execute(delete(tickets).where(*mine, tickets.c.expires_at <= now))
            first = {**row, "data": 0, "expires_at": now + seconds}
            await connection.execute(
                insert_into(connection, tickets).values(**first).on_conflict_do_nothing()
            )
            found = (await connection.execute(select(tickets).where(*mine).with_for_update())).one()
            await connection.execute(update(tickets).where(*mine).values(data=found.data + 1))
        return found.data + 1, found.expires_at

    async def _full(self, connection: AsyncConnection, most: int) -> bool:
        some = select(tickets.c.digest).where(tickets.c.purpose == self._purpose).limit(most).subquery()
        return await connection.scalar(select(func.count()).select_from(some)) == most

    def _is(self, token: str) -> tuple[Any, ...]:
        return (
            tickets.c.purpose == self._purpose,
            tickets.c.digest == _digest(token),
            tickets.c.expires_at > time.time(),
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def spending(refusal: Callable[[], GatewayError]) -> Fresh:
    """As `Tickets.spend`, for the journal: purpose, digest and until when (Unix seconds). Refused is what was used before.

    Whoever spends so has to `sweep` at times.
    """
    return Fresh(tickets, "purpose", "digest", "expires_at", refusal=refusal)


async def sweep(database: Database) -> None:
    """Delete tickets of all purposes that have expired, a few at a time, so that nobody waits for it. Raises `Unavailable`."""
    key = tickets.c.purpose, tickets.c.digest
    expired = (
        select(*key)
        .where(tickets.c.expires_at <= time.time())
        .limit(_SWEEP)
        .with_for_update(skip_locked=True)
    )
    while True:
        async with database.begin() as connection:
            done = await connection.execute(delete(tickets).where(tuple_(*key).in_(expired)))
        if done.rowcount < _SWEEP:
            return
