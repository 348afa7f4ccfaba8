"""Reading the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import Select, select

from gateway.store.identity_tables import audit_log
from gateway.store.structs import many, one

if TYPE_CHECKING:
    from gateway.store.database import Database


class Entry(Struct, frozen=True, kw_only=True):
    """A row of `audit_log`, without its hashes."""

    position: int
    at: float
    """Unix seconds."""
    tenant: str
    """'' for what concerns the whole gateway."""
    actor_kind: str
    actor: str
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None
    address: str | None


class EntryFilter(Struct, frozen=True, kw_only=True):
    """Which entries are meant; None is without limit. Times are Unix seconds."""

    actor: str | None = None
    action: str | None = None
    """`key.revoke`, or `key.*` for all that is done to keys."""
    object: str | None = None
    since: float | None = None
    until: float | None = None
    """The first moment that does not count."""


async def list_entries(
    database: Database, tenant: str, which: EntryFilter, *, limit: int, before: int | None = None
) -> list[Entry]:
    """The tenant's newest entries first; `before` is the last position of the page before. Raises `Unavailable`."""
    query = _newest(which, limit, before).where(audit_log.c.tenant == tenant)
    async with database.connect() as connection:
        return await many(connection, query, Entry)


async def list_all_entries(
    database: Database, which: EntryFilter, *, limit: int, before: int | None = None
) -> list[Entry]:
    """The newest entries of the whole gateway first. For the operator. Raises `Unavailable`."""
    async with database.connect() as connection:
        return await many(connection, _newest(which, limit, before), Entry)


async def get_entry(database: Database, tenant: str, position: int) -> Entry | None:
    """The tenant's entry at that position, or None. Raises `Unavailable`."""
    query = _columns().where(audit_log.c.tenant == tenant, audit_log.c.position == position)
    async with database.connect() as connection:
        return await one(connection, query, Entry)


def _columns() -> Select[Any]:
    return select(*(audit_log.c[name] for name in Entry.__struct_fields__))


def _newest(which: EntryFilter, limit: int, before: int | None) -> Select[Any]:
    columns = audit_log.c
    query = _columns().order_by(columns.position.desc()).limit(limit)
    for column, value in ((columns.actor, which.actor), (columns.object, which.object)):
        if value is not None:
            query = query.where(column == value)
    if which.action is not None and which.action.endswith(".*"):
        query = query.where(columns.action.startswith(which.action[:-1], autoescape=True))
    elif which.action is not None:
        query = query.where(columns.action == which.action)
    if which.since is not None:
        query = query.where(columns.at >= which.since)
    if which.until is not None:
        query = query.where(columns.at < which.until)
    return query if before is None else query.where(columns.position < before)
