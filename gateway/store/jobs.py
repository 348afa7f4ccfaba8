"""Jobs that providers have taken on. Whose they are is part of every question: a tenant never finds another's."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import and_, delete, or_, select, update

from gateway.store.stored_tables import jobs
from gateway.store.writes import Insert, Write

if TYPE_CHECKING:
    from sqlalchemy import Row

    from gateway.store.database import Database


class StoredJob(Struct, frozen=True, kw_only=True):
    """A row of `jobs`. Times are Unix seconds."""

    tenant: str
    id: str
    """The gateway's, which the client knows."""
    key: str | None
    kind: str
    """`video`."""
    model: str
    """As the client wrote it."""
    provider: str
    upstream_id: str
    upstream_model: str
    credential: str
    """The mark of the credential that started it; "" where it has none."""
    call: str
    """Its row in the ledger; "" while there is none."""
    created_at: float
    expires_at: float
    shown: bytes
    """JSON: the job as the client saw it last."""


_TOGETHER = 500
"""How many ids are asked for at once."""
_COLUMNS = StoredJob.__struct_fields__
_ADD = Insert(jobs, *_COLUMNS)


def added(row: StoredJob) -> Write:
    """The write that stores a job."""
    return Write(_ADD, tuple(getattr(row, name) for name in _COLUMNS))


async def get_job(database: Database, tenant: str, id: str) -> StoredJob | None:
    """The job of that id, or None. Raises `Unavailable`."""
    found = jobs.c
    query = select(jobs).where(found.tenant == tenant, found.id == id, found.expires_at > time.time())
    async with database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else _job_of(row)


async def kept_ids(
    database: Database, tenant: str, provider: str, ids: Collection[str]
) -> set[tuple[str, str]]:
    """Kind and id of those among the ids that the tenant has at a provider. Raises `Unavailable`."""
    found, wanted = jobs.c, sorted(ids)
    own: set[tuple[str, str]] = set()
    async with database.connect() as connection:
        for start in range(0, len(wanted), _TOGETHER):
            query = select(found.kind, found.id).where(
                found.tenant == tenant,
                found.id.in_(wanted[start : start + _TOGETHER]),
                found.provider == provider,
                found.expires_at > time.time(),
            )
            own |= {(row.kind, row.id) for row in await connection.execute(query)}
    return own


async def list_jobs(
    database: Database, tenant: str, kind: str, *, after: StoredJob | None, limit: int, newest_first: bool
) -> list[StoredJob]:
    """A page of a tenant's jobs, beginning after one of them. Raises `Unavailable`."""
    found = jobs.c
    query = select(jobs).where(found.tenant == tenant, found.kind == kind, found.expires_at > time.time())
    if after is not None:
        later = (
            (found.created_at < after.created_at) if newest_first else (found.created_at > after.created_at)
        )
        beside = (found.id < after.id) if newest_first else (found.id > after.id)
        query = query.where(or_(later, and_(found.created_at == after.created_at, beside)))
    order = (
        (found.created_at.desc(), found.id.desc())
        if newest_first
        else (found.created_at.asc(), found.id.asc())
    )
    async with database.connect() as connection:
        return [_job_of(row) for row in await connection.execute(query.order_by(*order).limit(limit))]


async def note_shown(database: Database, row: StoredJob, shown: bytes) -> None:
    """Keep what the client was told last. Raises `Unavailable`."""
    change = update(jobs).where(jobs.c.tenant == row.tenant, jobs.c.id == row.id).values(shown=shown)
    async with database.begin() as connection:
        await connection.execute(change)


async def note_settled(database: Database, row: StoredJob, call: str) -> None:
    """Remember which call in the ledger says what a job has used. Raises `Unavailable`."""
    change = update(jobs).where(jobs.c.tenant == row.tenant, jobs.c.id == row.id).values(call=call)
    async with database.begin() as connection:
        await connection.execute(change)


async def unsettled_jobs(database: Database, kind: str, provider: str) -> list[StoredJob]:
    """The jobs of all tenants that no call in the ledger tells of yet, oldest first. Raises `Unavailable`."""
    found = jobs.c
    query = select(jobs).where(found.kind == kind, found.provider == provider, found.call == "")
    async with database.connect() as connection:
        return [_job_of(row) for row in await connection.execute(query.order_by(found.created_at))]


async def delete_job(database: Database, tenant: str, id: str) -> None:
    """Forget a job. Raises `Unavailable`."""
    async with database.begin() as connection:
        await connection.execute(delete(jobs).where(jobs.c.tenant == tenant, jobs.c.id == id))


async def delete_expired_jobs(database: Database) -> int:
    """Forget the jobs past their time; return how many there were. Raises `Unavailable`."""
    async with database.begin() as connection:
        return (await connection.execute(delete(jobs).where(jobs.c.expires_at <= time.time()))).rowcount


def _job_of(row: Row[Any]) -> StoredJob:
    values: Sequence[Any] = [getattr(row, name) for name in _COLUMNS]
    return StoredJob(**dict(zip(_COLUMNS, values, strict=True)))
