"""`/me`: who asks, and what they may do where."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Query, Shown
from gateway.store.memberships import roles_of
from gateway.store.users import MAX_NAME, get_user, rename_user


class MyTenant(Shown):
    """A tenant that one is a member of."""

    id: str
    role: str


class MyChange(Body):
    """What is to be different of oneself."""

    name: str = Field(max_length=MAX_NAME)


class Me(Shown):
    """The caller."""

    tenant: str = Field(description="For whom the caller acts.")
    user: str | None
    name: str | None
    email: str | None
    key: str | None
    key_name: str | None
    session: str | None
    authenticator: str = Field(description="Who recognised the caller.")
    roles: list[str]
    permissions: list[str]
    tenants: list[MyTenant] = Field(description="Those that a person who is signed in can switch to.")


async def show(request: AdminRequest[Query, Any]) -> Me:
    """Show the caller."""
    principal = request.principal
    user, tenants = None, dict[str, str]()
    if principal.session is not None and principal.user is not None:
        user = await get_user(request.database, principal.user)
        async with request.database.connect() as connection:
            tenants = dict(await roles_of(connection, principal.user))
    return Me(
        tenant=request.tenant,
        user=principal.user,
        name=user and user.name,
        email=user and user.email,
        key=principal.key,
        key_name=principal.key_name,
        session=principal.session,
        authenticator=principal.authenticator,
        roles=sorted(principal.roles),
        permissions=sorted(principal.scopes),
        tenants=[MyTenant(id=tenant, role=role) for tenant, role in tenants.items()],
    )


async def change(request: AdminRequest[Query, MyChange]) -> Me:
    """Change one's own name."""
    await rename_user(request.database, request.user, request.body.name, actor=request.actor)
    return await show(request)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/me",
        permission=SIGNED_IN,
        handler=show,
        summary="Say who is asking, and what they may do",
        answer=Me,
    ),
    Endpoint(
        method="PATCH",
        path="/me",
        permission=SIGNED_IN,
        handler=change,
        summary="Change one's own name",
        body=MyChange,
        answer=Me,
        versioned=False,
    ),
)
