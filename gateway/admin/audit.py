"""`/audit`: who did what to which object of the tenant; `/gateway/audit`: of the whole gateway."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Moment, Page, PageQuery, Query, Shown, moment
from gateway.errors import InvalidRequest
from gateway.store.audit_entries import Entry, EntryFilter, get_entry, list_all_entries, list_entries

_DIGITS = 18


class AuditFilters(PageQuery):
    """Which entries are meant."""

    actor: str | None = Field(default=None, max_length=200, description="Id of who did it.")
    action: str | None = Field(
        default=None, max_length=60, description="As `key.revoke`; `key.*` for all that is done to keys."
    )
    object: str | None = Field(default=None, max_length=500, description="Id of what it was done to.")
    since: Moment | None = Field(default=None, description="Those from then on.")
    until: Moment | None = Field(default=None, description="Those before.")


class AuditEntry(Shown):
    """An entry."""

    id: str = Field(description="Its position in the log.")
    at: datetime
    tenant: str = Field(description="Empty for what concerns the whole gateway.")
    actor_kind: str = Field(description="user, key, component, command or gateway.")
    actor: str
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None
    address: str | None


async def list_(request: AdminRequest[AuditFilters, None]) -> Page[AuditEntry]:
    """List the tenant's entries."""
    query = request.query
    rows = await list_entries(
        request.database, request.tenant, _meant(query), limit=query.limit + 1, before=_before(query)
    )
    return _page(rows, query.limit)


async def list_all(request: AdminRequest[AuditFilters, None]) -> Page[AuditEntry]:
    """List the entries of the whole gateway."""
    query = request.query
    rows = await list_all_entries(
        request.database, _meant(query), limit=query.limit + 1, before=_before(query)
    )
    return _page(rows, query.limit)


async def show(request: AdminRequest[Query, None]) -> AuditEntry:
    """Show one of the tenant's entries."""
    text = request.path["id"]
    entry = None
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        entry = await get_entry(request.database, request.tenant, int(text))
    if entry is None:
        raise InvalidRequest(f"There is no entry {text!r}.", status=404, code="not_found")
    return _shown(entry)


def _meant(query: AuditFilters) -> EntryFilter:
    return EntryFilter(
        actor=query.actor,
        action=query.action,
        object=query.object,
        since=None if query.since is None else query.since.timestamp(),
        until=None if query.until is None else query.until.timestamp(),
    )


def _before(query: AuditFilters) -> int | None:
    start = after(query.cursor, tuple[int])
    return start[0] if start else None


def _page(rows: list[Entry], limit: int) -> Page[AuditEntry]:
    shown, cursor = page(rows, limit, lambda row: (row.position,))
    return Page[AuditEntry](data=[_shown(row) for row in shown], next_cursor=cursor)


def _shown(entry: Entry) -> AuditEntry:
    return AuditEntry(
        id=str(entry.position),
        at=moment(entry.at),
        tenant=entry.tenant,
        actor_kind=entry.actor_kind,
        actor=entry.actor,
        action=entry.action,
        object=entry.object,
        before=entry.before,
        after=entry.after,
        request_id=entry.request_id,
        address=entry.address,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/audit",
        permission="audit.read",
        handler=list_,
        summary="List what was done in the tenant, the newest first",
        query=AuditFilters,
        answer=Page[AuditEntry],
    ),
    Endpoint(
        method="GET",
        path="/audit/{id}",
        permission="audit.read",
        handler=show,
        summary="Show an entry of the audit log",
        answer=AuditEntry,
    ),
    Endpoint(
        method="GET",
        path="/gateway/audit",
        permission="gateway.audit",
        handler=list_all,
        summary="List what was done in the whole gateway, the newest first",
        query=AuditFilters,
        answer=Page[AuditEntry],
    ),
)
