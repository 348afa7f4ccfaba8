"""What may be used once: sign-in links, challenges, nonces, the states of a sign-in under way. Shared by all workers."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import Unavailable
from gateway.store.identity_tables import tickets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

UNDER_WAY: Final = 20_000
"""How many sign-ins of a kind may be under way at the same time, whoever began them."""

_BYTES = 24
_SWEEP_SECONDS = 60.0


class Tickets:
    """The tickets of one purpose. Only digests are stored, and about `most` at the same time, where that is told."""

    def __init__(self, database: Database, purpose: str, *, most: int | None = None) -> None:
        self._database = database
        self._purpose = purpose
        self._most = most
        self._swept = 0.0

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

    async def spend_all(self, values: Mapping[str, float]) -> frozenset[str]:
        """As `spend` for many, in one statement: values and until when (Unix seconds); those that were not used yet."""
        digests = {_digest(value): value for value in values}
        parameters: list[Any] = []
        for digest, value in sorted(digests.items()):
            parameters += (self._purpose, digest, values[value])
        async with self._database.begin() as connection:
            if time.monotonic() - self._swept > _SWEEP_SECONDS:
                self._swept = time.monotonic()
                await connection.execute(delete(tickets).where(tickets.c.expires_at <= time.time()))
            # SQLAlchemy would compile it anew for every number of rows, which costs more than the rest.
            sql = _spend_sql(len(digests), connection.dialect.name)
            done = await connection.exec_driver_sql(sql, tuple(parameters))
            return frozenset(digests[bytes(row.digest)] for row in done)

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


def _spend_sql(count: int, dialect: str) -> str:
    marks = (f"${number}" if dialect == "postgresql" else "?" for number in range(1, 3 * count + 1))
    rows = ", ".join(f"({', '.join(row)})" for row in zip(*[marks] * 3, strict=True))
    return f"INSERT INTO tickets (purpose, digest, expires_at) VALUES {rows} ON CONFLICT DO NOTHING RETURNING digest"  # noqa: S608 - marks only
