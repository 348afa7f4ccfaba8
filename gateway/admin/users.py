"""`/users`: the members of the tenant; `/gateway/users`: everybody, for the operator."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import grants_of, page_of
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway.errors import InvalidRequest
from gateway.store.erasure import erase_user
from gateway.store.memberships import Member, get_member, list_members, roles_of
from gateway.store.users import User, disable_user, get_user, list_users


class UserQuery(PageQuery):
    """Who is meant."""

    search: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="A part of an id, a name or an e-mail address, in whatever case.",
    )


class MemberChange(Body):
    """What is to be different."""

    role: str = Field(max_length=64, description="One of `/roles`; no more than one's own.")


class MemberShown(Shown):
    """A member of the tenant."""

    id: str
    name: str
    email: str | None
    email_verified: bool
    role: str
    disabled: bool = Field(description="Whether the operator lets them in no more.")
    joined_at: datetime
    revision: int


class UserShown(Shown):
    """A user, whatever tenants they are in."""

    id: str
    name: str
    email: str | None
    email_verified: bool
    state: str = Field(description="active, disabled or erased.")
    created_at: datetime
    roles: dict[str, str] | None = Field(default=None, description="By tenant; only when one user is shown.")
    revision: int


class UserErased(Shown):
    """What an erasure did."""

    calls: int = Field(description="Calls that lost what was personal in them.")


async def list_(request: AdminRequest[UserQuery, None]) -> Page[MemberShown]:
    """List the members."""
    meant = partial(list_members, search=request.query.search)
    rows, cursor = await page_of(request, meant, lambda row: row.user)
    return Page[MemberShown](data=[_member(row) for row in rows], next_cursor=cursor)


async def show(request: AdminRequest[Query, None]) -> MemberShown:
    """Show a member."""
    return _member(await get_member(request.database, request.tenant, request.path["id"]))


async def change(request: AdminRequest[Query, MemberChange]) -> MemberShown:
    """Give a member another role."""
    member = await grants_of(request).change_member(
        request.path["id"], request.body.role, expected=request.expected
    )
    return _member(member)


async def remove(request: AdminRequest[Query, None]) -> None:
    """Take a member out of the tenant."""
    await grants_of(request).remove_member(request.path["id"], expected=request.expected)


async def list_all(request: AdminRequest[UserQuery, None]) -> Page[UserShown]:
    """List all users."""
    query = request.query
    last = after(query.cursor, tuple[str])
    rows = await list_users(
        request.database, after=last[0] if last else None, limit=query.limit + 1, search=query.search
    )
    shown, cursor = page(rows, query.limit, lambda row: (row.id,))
    return Page[UserShown](data=[_user(row) for row in shown], next_cursor=cursor)


async def show_any(request: AdminRequest[Query, None]) -> UserShown:
    """Show a user, with their roles."""
    found = await get_user(request.database, request.path["id"])
    if found is None:
        raise InvalidRequest(f"There is no user {request.path['id']!r}.", status=404, code="not_found")
    async with request.database.connect() as connection:
        return _user(found, dict(await roles_of(connection, found.id)))


async def disable(request: AdminRequest[Query, None]) -> UserShown:
    """Let a user in no more."""
    return await _set_disabled(request, disabled=True)


async def enable(request: AdminRequest[Query, None]) -> UserShown:
    """Let a user in again."""
    return await _set_disabled(request, disabled=False)


async def erase(request: AdminRequest[Query, None]) -> UserErased:
    """Erase a user."""
    done = await erase_user(request.database, request.path["id"], actor=request.actor)
    return UserErased(calls=done.calls)


async def _set_disabled(request: AdminRequest[Any, Any], *, disabled: bool) -> UserShown:
    return _user(
        await disable_user(request.database, request.path["id"], disabled=disabled, actor=request.actor)
    )


def _member(row: Member) -> MemberShown:
    return MemberShown(
        id=row.user,
        name=row.name,
        email=row.email,
        email_verified=row.email_verified,
        role=row.role,
        disabled=row.disabled_at is not None,
        joined_at=moment(row.created_at),
        revision=row.revision,
    )


def _user(row: User, roles: dict[str, str] | None = None) -> UserShown:
    return UserShown(
        id=row.id,
        name=row.name,
        email=row.email,
        email_verified=row.email_verified,
        state=row.state,
        created_at=moment(row.created_at),
        roles=roles,
        revision=row.revision,
    )


_ANY = "gateway.tenants"

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/users",
        permission="users.read",
        handler=list_,
        summary="List the members of the tenant",
        query=UserQuery,
        answer=Page[MemberShown],
    ),
    Endpoint(
        method="GET",
        path="/users/{id}",
        permission="users.read",
        handler=show,
        summary="Show a member of the tenant",
        answer=MemberShown,
    ),
    Endpoint(
        method="PATCH",
        path="/users/{id}",
        permission="users.manage",
        handler=change,
        summary="Give a member another role",
        body=MemberChange,
        answer=MemberShown,
    ),
    Endpoint(
        method="DELETE",
        path="/users/{id}",
        permission="users.manage",
        handler=remove,
        summary="Take a member out of the tenant",
    ),
    Endpoint(
        method="GET",
        path="/gateway/users",
        permission=_ANY,
        handler=list_all,
        summary="List all users of the gateway",
        query=UserQuery,
        answer=Page[UserShown],
    ),
    Endpoint(
        method="GET",
        path="/gateway/users/{id}",
        permission=_ANY,
        handler=show_any,
        summary="Show any user, with their role in each tenant",
        answer=UserShown,
    ),
    Endpoint(
        method="POST",
        path="/gateway/users/{id}/disable",
        permission=_ANY,
        handler=disable,
        summary="Let a user in no more, in any tenant",
        answer=UserShown,
        status=200,
    ),
    Endpoint(
        method="POST",
        path="/gateway/users/{id}/enable",
        permission=_ANY,
        handler=enable,
        summary="Let a user in again",
        answer=UserShown,
        status=200,
    ),
    Endpoint(
        method="POST",
        path="/gateway/users/{id}/erase",
        permission=_ANY,
        handler=erase,
        summary="Erase a user for good, in all tenants",
        answer=UserErased,
        status=200,
    ),
)
