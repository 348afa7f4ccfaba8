"""`/sessions`: where people are signed in and act for the tenant."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Page, PageQuery, Query, Shown, moment
from gateway.errors import InvalidRequest
from gateway.store.sessions import Session, tenant_session, tenant_sessions


class SessionQuery(PageQuery):
    """Which sessions."""

    user: str | None = Field(default=None, max_length=40, description="Those of one user.")


class SessionShown(Shown):
    """A session of somebody's."""

    id: str
    user: str
    tenant: str = Field(description="For whom it acts at present.")
    method: str = Field(
        description="How it was signed in: link, oidc, passkey, siwe, did-key, did-connect, device."
    )
    created_at: datetime
    last_seen_at: datetime = Field(description="To the minute.")
    expires_at: datetime = Field(description="When it ends unless it is used before.")
    revoked_at: datetime | None
    address: str | None
    agent: str | None = Field(description="What the client calls itself.")


async def list_(request: AdminRequest[SessionQuery, None]) -> Page[SessionShown]:
    """List the sessions that have not ended."""
    query = request.query
    rows = await tenant_sessions(
        request.database,
        request.tenant,
        now=time.time(),
        user=query.user,
        after=after(query.cursor, tuple[float, str]),
        limit=query.limit + 1,
    )
    found, cursor = page(rows, query.limit, lambda row: (row.created_at, row.id))
    return Page[SessionShown](data=[session_shown(row) for row in found], next_cursor=cursor)


async def show(request: AdminRequest[Query, None]) -> SessionShown:
    """Show one."""
    return session_shown(await _session(request))


async def revoke(request: AdminRequest[Query, None]) -> None:
    """End one."""
    found = await _session(request)
    await request.context.sessions.revoke(found.id, user=found.user, actor=request.actor)


def session_shown(row: Session) -> SessionShown:
    """A session as it is shown: nothing of its tokens."""
    return SessionShown(
        id=row.id,
        user=row.user,
        tenant=row.tenant,
        method=row.method,
        created_at=moment(row.created_at),
        last_seen_at=moment(row.last_seen_at),
        expires_at=moment(row.expires_at),
        revoked_at=moment(row.revoked_at),
        address=row.address,
        agent=row.agent,
    )


async def _session(request: AdminRequest[Any, Any]) -> Session:
    found = await tenant_session(request.database, request.tenant, request.path["id"])
    if found is None:
        raise InvalidRequest(f"There is no session {request.path['id']!r}.", status=404, code="not_found")
    return found


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/sessions",
        permission="sessions.read",
        handler=list_,
        summary="List the sessions that act for the tenant, oldest first",
        query=SessionQuery,
        answer=Page[SessionShown],
    ),
    Endpoint(
        method="GET",
        path="/sessions/{id}",
        permission="sessions.read",
        handler=show,
        summary="Show a session",
        answer=SessionShown,
    ),
    Endpoint(
        method="DELETE",
        path="/sessions/{id}",
        permission="sessions.manage",
        handler=revoke,
        summary="End a session",
        versioned=False,
    ),
)
