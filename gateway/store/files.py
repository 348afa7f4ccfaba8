"""Files of tenants. Whose they are is part of every question: a tenant never finds another's.

Content is kept in chunks, each written in a transaction of its own, so that a large file neither fills memory nor keeps
other writers waiting. A file is seen by nobody before it is whole.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import delete, exists, func, insert, or_, select, tuple_, update

from gateway.store.stored_tables import file_chunks, files

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from gateway.store.database import Database

CHUNK_BYTES: Final = 2**20
"""Of each chunk of a file but the last."""

_UPLOAD_SECONDS: Final = 3600.0


class StoredFile(Struct, frozen=True, kw_only=True):
    """A row of `files`. Times are Unix seconds."""

    tenant: str
    id: str
    key: str | None
    name: str
    purpose: str
    bytes: int = 0
    created_at: float
    expires_at: float | None
    """None when it is kept until it is deleted."""


_COLUMNS = StoredFile.__struct_fields__


async def write_file(database: Database, row: StoredFile, content: AsyncIterable[bytes]) -> StoredFile:
    """Store a file; `content` comes in pieces of any size. Return the row with its size.

    What an earlier attempt under the same id has left is replaced; one that breaks off is deleted after an hour.
    Raises `Unavailable`.
    """
    await delete_file(database, row.tenant, row.id)
    fields = {name: getattr(row, name) for name in _COLUMNS}
    begun = {**fields, "whole": False, "expires_at": time.time() + _UPLOAD_SECONDS}
    async with database.begin() as connection:
        await connection.execute(insert(files).values(begun))
    size = position = 0
    async for chunk in _chunks(content):
        async with database.begin() as connection:
            values = {"tenant": row.tenant, "file": row.id, "position": position, "data": chunk}
            await connection.execute(insert(file_chunks).values(values))
        position += 1
        size += len(chunk)
    ended = update(files).where(files.c.tenant == row.tenant, files.c.id == row.id)
    async with database.begin() as connection:
        await connection.execute(ended.values(whole=True, bytes=size, expires_at=row.expires_at))
    return msgspec.structs.replace(row, bytes=size)


async def begin_copy(database: Database, row: StoredFile) -> None:
    """Make room for a copy of what a tenant uploads elsewhere, kept until `expires_at` and never listed. Raises `Unavailable`."""
    fields = {name: getattr(row, name) for name in _COLUMNS}
    async with database.begin() as connection:
        await connection.execute(insert(files).values({**fields, "whole": False}))


async def write_piece(database: Database, tenant: str, id: str, offset: int, data: bytes) -> None:
    """Put a piece into a copy, again if need be; `offset` is a multiple of `CHUNK_BYTES`. Raises `Unavailable`."""
    mine = (file_chunks.c.tenant == tenant, file_chunks.c.file == id)
    for start in range(0, len(data), CHUNK_BYTES):
        position = (offset + start) // CHUNK_BYTES
        values = {
            "tenant": tenant,
            "file": id,
            "position": position,
            "data": data[start : start + CHUNK_BYTES],
        }
        async with database.begin() as connection:
            await connection.execute(delete(file_chunks).where(*mine, file_chunks.c.position == position))
            await connection.execute(insert(file_chunks).values(values))


async def end_copy(database: Database, tenant: str, id: str, *, named: str, size: int) -> None:
    """Give a copy that has all its bytes the id under which it is to be found. Raises `Unavailable`."""
    async with database.begin() as connection:
        copy = update(files).where(files.c.tenant == tenant, files.c.id == id)
        await connection.execute(copy.values(id=named, bytes=size))
        pieces = update(file_chunks).where(file_chunks.c.tenant == tenant, file_chunks.c.file == id)
        await connection.execute(pieces.values(file=named))


async def get_copy(database: Database, tenant: str, id: str) -> StoredFile | None:
    """The copy that was ended under that id, or None. Raises `Unavailable`."""
    query = select(files).where(files.c.tenant == tenant, files.c.id == id, files.c.expires_at > time.time())
    async with database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else _file_of(row)


async def get_file(database: Database, tenant: str, id: str) -> StoredFile | None:
    """The file of that id, or None. Raises `Unavailable`."""
    async with database.connect() as connection:
        row = (await connection.execute(_seen(tenant).where(files.c.id == id))).one_or_none()
    return None if row is None else _file_of(row)


async def list_files(
    database: Database,
    tenant: str,
    *,
    after: StoredFile | None,
    limit: int,
    newest_first: bool,
    purpose: str | None,
) -> list[StoredFile]:
    """At most `limit` files by the time they were made, beginning after that one. Raises `Unavailable`."""
    place = tuple_(files.c.created_at, files.c.id)
    query = _seen(tenant).limit(limit)
    if purpose is not None:
        query = query.where(files.c.purpose == purpose)
    if after is not None:
        mark = (after.created_at, after.id)
        query = query.where(place < mark if newest_first else place > mark)
    keys = (files.c.created_at, files.c.id)
    query = query.order_by(*(key.desc() if newest_first else key for key in keys))
    async with database.connect() as connection:
        return [_file_of(row) for row in await connection.execute(query)]


async def stored_bytes(database: Database, tenant: str) -> int:
    """How many bytes the files of a tenant hold together. Raises `Unavailable`."""
    query = select(func.coalesce(func.sum(files.c.bytes), 0)).where(files.c.tenant == tenant)
    async with database.connect() as connection:
        return int((await connection.execute(query)).scalar_one())


async def read_file(database: Database, row: StoredFile) -> AsyncGenerator[bytes]:
    """Yield the content chunk by chunk; between two of them no connection is held. Raises `Unavailable`."""
    found = file_chunks.c
    query = select(found.data).where(found.tenant == row.tenant, found.file == row.id)
    position = 0
    while position * CHUNK_BYTES < row.bytes:
        async with database.connect() as connection:
            chunk = (await connection.execute(query.where(found.position == position))).scalar_one_or_none()
        if chunk is None:  # deleted meanwhile
            return
        yield bytes(chunk)
        position += 1


async def delete_file(database: Database, tenant: str, id: str) -> bool:
    """Delete a file and its content; whether it was there. Raises `Unavailable`."""
    async with database.begin() as connection:
        gone = await connection.execute(delete(files).where(files.c.tenant == tenant, files.c.id == id))
        await connection.execute(
            delete(file_chunks).where(file_chunks.c.tenant == tenant, file_chunks.c.file == id)
        )
    return gone.rowcount > 0


async def delete_expired_files(database: Database) -> int:
    """Delete what is past its time; return how many files that were. Raises `Unavailable`."""
    async with database.begin() as connection:
        gone = await connection.execute(delete(files).where(files.c.expires_at <= time.time()))
        if gone.rowcount:
            kept = exists().where(files.c.tenant == file_chunks.c.tenant, files.c.id == file_chunks.c.file)
            await connection.execute(delete(file_chunks).where(~kept))
    return gone.rowcount


def _seen(tenant: str) -> Select[Any]:
    kept = or_(files.c.expires_at.is_(None), files.c.expires_at > time.time())
    return select(files).where(files.c.tenant == tenant, files.c.whole, kept)


async def _chunks(content: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield the same bytes in chunks of `CHUNK_BYTES`; only the last may be shorter."""
    held = bytearray()
    async for piece in content:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _file_of(row: Row[Any]) -> StoredFile:
    return StoredFile(**{name: getattr(row, name) for name in _COLUMNS})
