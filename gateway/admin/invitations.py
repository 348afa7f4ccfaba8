"""`/invitations`: links by which people join the tenant, each good for one."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import grants_of, page_of
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, ShownOnce, moment
from gateway.store.invitations import (
    DAYS,
    Invitation,
    get_invitation,
    invite,
    link_of,
    list_invitations,
    revoke_invitation,
)


class NewInvitation(Body):
    """An invitation to be."""

    role: str = Field(default="member", max_length=64, description="One of `/roles`; no more than one's own.")
    email: str | None = Field(
        default=None, max_length=320, description="Only who has proved to have this address may accept."
    )
    days: float = Field(default=DAYS, gt=0, le=365, description="How long it is good.")


class InvitationShown(Shown):
    """An invitation."""

    id: str
    email: str | None
    role: str
    state: str = Field(description="open, accepted, revoked or expired.")
    link: Annotated[str | None, ShownOnce()] = None
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: str | None
    revision: int


async def list_(request: AdminRequest[PageQuery, None]) -> Page[InvitationShown]:
    """List the invitations."""
    rows, cursor = await page_of(request, list_invitations, lambda row: row.id)
    return Page[InvitationShown](data=[_shown(row) for row in rows], next_cursor=cursor)


async def create(request: AdminRequest[Query, NewInvitation]) -> InvitationShown:
    """Invite somebody."""
    body = request.body
    await grants_of(request).check(body.role)
    row, token = await invite(
        request.database, request.tenant, body.role, email=body.email, days=body.days, actor=request.actor
    )
    return _shown(row, link_of(request.services.config.settings.identity.public_url, token))


async def show(request: AdminRequest[Query, None]) -> InvitationShown:
    """Show one."""
    return _shown(await get_invitation(request.database, request.tenant, request.path["id"]))


async def revoke(request: AdminRequest[Query, None]) -> None:
    """Take one back."""
    await revoke_invitation(
        request.database, request.tenant, request.path["id"], actor=request.actor, expected=request.expected
    )


def _shown(row: Invitation, link: str | None = None) -> InvitationShown:
    return InvitationShown(
        id=row.id,
        email=row.email,
        role=row.role,
        state=row.state(time.time()),
        link=link,
        created_by=row.created_by,
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at),
        accepted_at=moment(row.accepted_at),
        accepted_by=row.accepted_by,
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/invitations",
        permission="users.read",
        handler=list_,
        summary="List the invitations, whatever became of them",
        query=PageQuery,
        answer=Page[InvitationShown],
    ),
    Endpoint(
        method="POST",
        path="/invitations",
        permission="users.manage",
        handler=create,
        summary="Invite somebody; the link is shown once",
        body=NewInvitation,
        answer=InvitationShown,
    ),
    Endpoint(
        method="GET",
        path="/invitations/{id}",
        permission="users.read",
        handler=show,
        summary="Show an invitation",
        answer=InvitationShown,
    ),
    Endpoint(
        method="DELETE",
        path="/invitations/{id}",
        permission="users.manage",
        handler=revoke,
        summary="Take an invitation back",
    ),
)
