"""`/me/…`: one's own sessions and ways to sign in, in whatever tenant; and the tenant that one acts for."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.request import AdminRequest
from gateway.admin.sessions import SessionShown, session_shown
from gateway.admin.shapes import Body, Query, Shown, moment
from gateway.store.tenants import MAX_ID


class MySessions(Shown):
    """Where one is signed in."""

    data: list[SessionShown]


class MyWay(Shown):
    """A way in which one signs in."""

    id: str
    kind: str = Field(description="oidc, did or passkey.")
    label: str
    subject: str = Field(description="The issuer and one's name there, the DID, or the id of the passkey.")
    created_at: datetime
    last_used_at: datetime | None


class MyWays(Shown):
    """How one signs in."""

    data: list[MyWay]


class Switch(Body):
    """For whom one wants to act."""

    tenant: str = Field(max_length=MAX_ID, description="One of `tenants` at `/me`.")


async def sessions(request: AdminRequest[Query, None]) -> MySessions:
    """List one's sessions."""
    rows = await request.context.sessions.sessions_of(request.user)
    return MySessions(data=[session_shown(row) for row in rows])


async def revoke(request: AdminRequest[Query, None]) -> None:
    """End one of them."""
    await request.context.sessions.revoke(request.path["id"], user=request.user, actor=request.actor)


async def revoke_others(request: AdminRequest[Query, None]) -> None:
    """End all but the one that asks."""
    here = request.principal.session or ""
    await request.context.sessions.revoke_others(here, user=request.user, actor=request.actor)


async def switch(request: AdminRequest[Query, Switch]) -> SessionShown:
    """Act for another tenant."""
    user, session = request.user, request.principal.session or ""
    moved = await request.context.sessions.switch_tenant(session, request.body.tenant, user=user)
    return session_shown(moved)


async def ways(request: AdminRequest[Query, None]) -> MyWays:
    """List one's ways to sign in."""
    rows = await request.context.sessions.identities_of(request.user)
    return MyWays(
        data=[
            MyWay(
                id=row.id,
                kind=row.kind,
                label=row.label,
                subject=row.subject,
                created_at=moment(row.created_at),
                last_used_at=moment(row.last_used_at),
            )
            for row in rows
        ]
    )


async def remove(request: AdminRequest[Query, None]) -> None:
    """Take one away."""
    await request.context.sessions.remove_identity(request.user, request.path["id"], actor=request.actor)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/me/sessions",
        permission=SIGNED_IN,
        handler=sessions,
        summary="List one's own sessions",
        answer=MySessions,
    ),
    Endpoint(
        method="DELETE",
        path="/me/sessions/{id}",
        permission=SIGNED_IN,
        handler=revoke,
        summary="End one of one's own sessions",
        versioned=False,
    ),
    Endpoint(
        method="POST",
        path="/me/sessions/revoke-others",
        permission=SIGNED_IN,
        handler=revoke_others,
        summary="End all of one's own sessions but this one",
    ),
    Endpoint(
        method="PUT",
        path="/me/tenant",
        permission=SIGNED_IN,
        handler=switch,
        summary="Act for another tenant that one is a member of",
        body=Switch,
        answer=SessionShown,
        versioned=False,
    ),
    Endpoint(
        method="GET",
        path="/me/ways",
        permission=SIGNED_IN,
        handler=ways,
        summary="List one's own ways to sign in",
        answer=MyWays,
    ),
    Endpoint(
        method="DELETE",
        path="/me/ways/{id}",
        permission=SIGNED_IN,
        handler=remove,
        summary="Remove one of one's own ways to sign in",
        versioned=False,
    ),
)
