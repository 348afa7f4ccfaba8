"""`/teams`: groups of the tenant's members."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import page_of
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway.store.teams import (
    Team,
    add_to_team,
    create_team,
    delete_team,
    get_team,
    list_teams,
    rename_team,
    take_from_team,
    team_users,
)


class TeamBody(Body):
    """A team to be, or what it is to be called."""

    name: str = Field(max_length=200)


class TeamShown(Shown):
    """A team."""

    id: str
    name: str
    members: list[str] | None = Field(default=None, description="Ids of users; only when one team is shown.")
    created_at: datetime
    updated_at: datetime
    revision: int


async def list_(request: AdminRequest[PageQuery, None]) -> Page[TeamShown]:
    """List the teams."""
    rows, cursor = await page_of(request, list_teams, lambda row: row.id)
    return Page[TeamShown](data=[_shown(row) for row in rows], next_cursor=cursor)


async def create(request: AdminRequest[Query, TeamBody]) -> TeamShown:
    """Create one."""
    return _shown(await create_team(request.database, request.tenant, request.body.name, actor=request.actor))


async def show(request: AdminRequest[Query, None]) -> TeamShown:
    """Show one, with its members."""
    row = await get_team(request.database, request.tenant, request.path["id"])
    return _shown(row, await team_users(request.database, request.tenant, row.id))


async def rename(request: AdminRequest[Query, TeamBody]) -> TeamShown:
    """Give one another name."""
    row = await rename_team(
        request.database,
        request.tenant,
        request.path["id"],
        request.body.name,
        actor=request.actor,
        expected=request.expected,
    )
    return _shown(row)


async def delete(request: AdminRequest[Query, None]) -> None:
    """Delete one."""
    await delete_team(
        request.database, request.tenant, request.path["id"], actor=request.actor, expected=request.expected
    )


async def add(request: AdminRequest[Query, None]) -> TeamShown:
    """Put a member into one."""
    path = request.path
    row = await add_to_team(request.database, request.tenant, path["id"], path["user"], actor=request.actor)
    return _shown(row)


async def take(request: AdminRequest[Query, None]) -> None:
    """Take a member out of one."""
    path = request.path
    await take_from_team(request.database, request.tenant, path["id"], path["user"], actor=request.actor)


def _shown(row: Team, members: list[str] | None = None) -> TeamShown:
    return TeamShown(
        id=row.id,
        name=row.name,
        members=members,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/teams",
        permission="users.read",
        handler=list_,
        summary="List the teams",
        query=PageQuery,
        answer=Page[TeamShown],
    ),
    Endpoint(
        method="POST",
        path="/teams",
        permission="users.manage",
        handler=create,
        summary="Create a team",
        body=TeamBody,
        answer=TeamShown,
    ),
    Endpoint(
        method="GET",
        path="/teams/{id}",
        permission="users.read",
        handler=show,
        summary="Show a team and its members",
        answer=TeamShown,
    ),
    Endpoint(
        method="PATCH",
        path="/teams/{id}",
        permission="users.manage",
        handler=rename,
        summary="Rename a team",
        body=TeamBody,
        answer=TeamShown,
    ),
    Endpoint(
        method="DELETE",
        path="/teams/{id}",
        permission="users.manage",
        handler=delete,
        summary="Delete a team; its members stay in the tenant",
    ),
    Endpoint(
        method="PUT",
        path="/teams/{id}/members/{user}",
        permission="users.manage",
        handler=add,
        summary="Put a member of the tenant into a team",
        answer=TeamShown,
        versioned=False,
    ),
    Endpoint(
        method="DELETE",
        path="/teams/{id}/members/{user}",
        permission="users.manage",
        handler=take,
        summary="Take a member out of a team",
        versioned=False,
    ),
)
