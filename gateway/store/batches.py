"""Batches, as the API sees them: made, listed, cancelled by the tenant they belong to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from sqlalchemy import case, insert, select, tuple_, update

from gateway.store.stored_tables import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from gateway.store.database import Database
    from gateway.store.kept_answers import Begun

Status = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]

RUNNING: tuple[Status, ...] = ("validating", "in_progress", "finalizing", "cancelling")
"""The states of a batch that has not ended."""


class StoredBatch(Struct, frozen=True, kw_only=True):
    """A row of `batches`. Times are Unix seconds."""

    tenant: str
    id: str
    principal: bytes
    """JSON: the one for whom its calls are made."""
    endpoint: str
    input_file: str
    metadata: bytes | None = None
    """JSON, as the client gave it."""
    output_seconds: float | None = None
    status: Status = "validating"
    ends_as: Status | None = None
    """The status that is to come once its files are written."""
    worker: str | None = None
    """Who runs it; None once it has ended."""
    model: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    created_at: float
    expires_at: float
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    cancelling_at: float | None = None
    ended_at: float | None = None
    output_file: str | None = None
    error_file: str | None = None
    errors: bytes | None = None
    """JSON: a list of errors in the input file, as the client is told them."""
    usage: bytes | None = None
    """JSON: the sum over its calls, as the client is told it."""


_COLUMNS = StoredBatch.__struct_fields__


async def add_batch(database: Database, row: StoredBatch, begun: Begun | None = None) -> None:
    """Store a new batch; `begun` is told within the transaction. Raises `Unavailable`."""
    async with database.begin() as connection:
        await connection.execute(insert(batches).values({name: getattr(row, name) for name in _COLUMNS}))
        if begun is not None:
            await begun(connection, row.id)


async def get_batch(database: Database, tenant: str, id: str) -> StoredBatch | None:
    """The batch of that id, or None. Raises `Unavailable`."""
    query = select(batches).where(batches.c.tenant == tenant, batches.c.id == id)
    async with database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else batch_of(row)


async def list_batches(
    database: Database, tenant: str, *, after: StoredBatch | None, limit: int
) -> Sequence[StoredBatch]:
    """At most `limit` batches, the newest first, beginning after that one. Raises `Unavailable`."""
    query = select(batches).where(batches.c.tenant == tenant)
    if after is not None:
        query = query.where(tuple_(batches.c.created_at, batches.c.id) < (after.created_at, after.id))
    query = query.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit)
    async with database.connect() as connection:
        return [batch_of(row) for row in await connection.execute(query)]


async def cancel_batch(database: Database, tenant: str, id: str) -> bool:
    """Ask that a batch be cancelled; whether it could still be. Raises `Unavailable`."""
    now = time.time()
    change = (
        update(batches)
        .where(
            batches.c.tenant == tenant,
            batches.c.id == id,
            batches.c.status.in_(("validating", "in_progress", "cancelling")),
        )
        .values(
            status="cancelling",
            cancelling_at=case((batches.c.cancelling_at.is_(None), now), else_=batches.c.cancelling_at),
        )
    )
    async with database.begin() as connection:
        return (await connection.execute(change)).rowcount > 0


def batch_of(row: Row[Any]) -> StoredBatch:
    """Make the value of a row."""
    return StoredBatch(**{name: getattr(row, name) for name in _COLUMNS})
