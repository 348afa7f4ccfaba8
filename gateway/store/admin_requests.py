"""Creations that are not to be done twice: what was answered to an `Idempotency-Key`, kept for a day."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.store.identity_tables import admin_requests

if TYPE_CHECKING:
    from gateway.store.database import Database

_KEPT_SECONDS = 86_400
_RUNNING_SECONDS = 300
"""After this time, a request of which nothing was heard has died with its worker."""


class Earlier(Struct, frozen=True, kw_only=True):
    """A request that came before with the same key."""

    fingerprint: bytes
    status: int | None
    """None while it runs."""
    answer: bytes | None


async def claim(database: Database, tenant: str, key: str, fingerprint: bytes) -> Earlier | None:
    """Take the key for a request that begins; or return the one that has it."""
    now = time.time()
    mine = (admin_requests.c.tenant == tenant, admin_requests.c.key == key)
    row = {"tenant": tenant, "key": key, "fingerprint": fingerprint, "expires_at": now + _RUNNING_SECONDS}
    try:
        async with database.begin() as connection:
            await connection.execute(delete(admin_requests).where(admin_requests.c.expires_at <= now))
            await connection.execute(insert(admin_requests).values(**row))
    except IntegrityError:
        async with database.connect() as connection:
            found = (await connection.execute(select(admin_requests).where(*mine))).one_or_none()
        if found is None:  # given back between the two
            return await claim(database, tenant, key, fingerprint)
        return Earlier(fingerprint=bytes(found.fingerprint), status=found.status, answer=found.answer)
    return None


async def finish(database: Database, tenant: str, key: str, *, status: int, answer: bytes) -> None:
    """Keep what was answered."""
    async with database.begin() as connection:
        await connection.execute(
            update(admin_requests)
            .where(admin_requests.c.tenant == tenant, admin_requests.c.key == key)
            .values(status=status, answer=answer, expires_at=time.time() + _KEPT_SECONDS)
        )


async def give_back(database: Database, tenant: str, key: str) -> None:
    """Set the key free: its request has changed nothing."""
    async with database.begin() as connection:
        await connection.execute(
            delete(admin_requests).where(admin_requests.c.tenant == tenant, admin_requests.c.key == key)
        )
