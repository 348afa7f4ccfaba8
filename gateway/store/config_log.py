"""Notes in the audit log when a gateway starts with another config than before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.identity_tables import audit_log

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

_ACTION: Final = "config.change"
_ACTOR: Final = Actor(kind="gateway", id="start")


async def note_config(database: Database, present: Mapping[str, Any]) -> None:
    """Add an entry unless the last one of its kind tells of the same config; `present` is plain JSON without secrets.

    However many workers start at once, one of them adds it.
    """
    async with database.connect() as connection:
        if await _last(connection) == present:
            return
    async with database.begin() as connection:
        await bump(connection, "config")
        before = await _last(connection)
        if before != present:
            await record(connection, _ACTOR, _ACTION, "plugins.toml", tenant="", before=before, after=present)


async def _last(connection: AsyncConnection) -> Mapping[str, Any] | None:
    columns = audit_log.c
    ours = (columns.tenant == "", columns.action == _ACTION)
    query = select(columns.after).where(*ours).order_by(columns.position.desc()).limit(1)
    return await connection.scalar(query)
