"""Teams: groups of a tenant's members."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import and_, delete, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.identity_tables import memberships, team_members, teams
from gateway.store.memberships import is_member
from gateway.store.random_ids import new_id
from gateway.store.structs import of_tenant, page

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "teams"
_MAX_NAME = 200


class Team(Struct, frozen=True, kw_only=True):
    """A row of `teams`. Times are Unix seconds."""

    tenant: str
    id: str
    name: str
    created_at: float
    updated_at: float
    revision: int


async def create_team(database: Database, tenant: str, name: str, *, actor: Actor) -> Team:
    """Create a team without members. Raises `InvalidRequest` for a bad name."""
    check_name("name of a team", name, _MAX_NAME, param="name")
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        row = Team(
            tenant=tenant, id=new_id("team_"), name=name, created_at=now, updated_at=now, revision=revision
        )
        values = asdict(row)
        await connection.execute(insert(teams).values(**values))
        await record(connection, actor, "team.create", row.id, tenant=tenant, after={"name": name})
    return row


async def get_team(database: Database, tenant: str, id: str) -> Team:
    """A team of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, id)


async def list_teams(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[Team]:
    """The teams of a tenant by id; `after` is the last one of the page before."""
    query = select(teams).where(teams.c.tenant == tenant)
    return await page(database, query, teams.c.id, Team, after=after, limit=limit)


async def rename_team(
    database: Database, tenant: str, id: str, name: str, *, actor: Actor, expected: Expected = None
) -> Team:
    """Give a team another name. Raises `InvalidRequest` (404, 412)."""
    check_name("name of a team", name, _MAX_NAME, param="name")
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        await _touch(connection, tenant, id, revision, name=name)
        was, now = {"name": before.name}, {"name": name}
        await record(connection, actor, "team.rename", id, tenant=tenant, before=was, after=now)
        return await _present(connection, tenant, id)


async def delete_team(
    database: Database, tenant: str, id: str, *, actor: Actor, expected: Expected = None
) -> None:
    """Delete a team; its members stay members of the tenant. Raises `InvalidRequest` (404, 412)."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        of_team = (team_members.c.tenant == tenant, team_members.c.team == id)
        await connection.execute(delete(team_members).where(*of_team))
        await connection.execute(delete(teams).where(teams.c.tenant == tenant, teams.c.id == id))
        await record(connection, actor, "team.delete", id, tenant=tenant, before={"name": before.name})


async def team_users(database: Database, tenant: str, id: str) -> list[str]:
    """The ids of a team's members. Raises `InvalidRequest` (404)."""
    of_team = (team_members.c.tenant == tenant, team_members.c.team == id)
    still = and_(memberships.c.tenant == tenant, memberships.c.user == team_members.c.user)
    async with database.connect() as connection:
        await _present(connection, tenant, id)
        query = (
            select(team_members.c.user).join(memberships, still).where(*of_team).order_by(team_members.c.user)
        )
        return [*(await connection.execute(query)).scalars()]


async def add_to_team(database: Database, tenant: str, id: str, user: str, *, actor: Actor) -> Team:
    """Put a member of the tenant into a team; one who is in it stays there. Raises `InvalidRequest` (404)."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        await _present(connection, tenant, id)
        if not await is_member(connection, tenant, user):
            raise InvalidRequest(f"There is no member {user!r}.", status=404, code="not_found")
        if not await _is_in(connection, tenant, id, user):
            await connection.execute(
                insert(team_members).values(tenant=tenant, team=id, user=user, created_at=time.time())
            )
        await _touch(connection, tenant, id, revision)
        await record(connection, actor, "team.add", id, tenant=tenant, after={"user": user})
        return await _present(connection, tenant, id)


async def take_from_team(database: Database, tenant: str, id: str, user: str, *, actor: Actor) -> Team:
    """Take a user out of a team. Raises `InvalidRequest` (404)."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        await _present(connection, tenant, id)
        if not await _is_in(connection, tenant, id, user):
            raise InvalidRequest(f"There is no {user!r} in the team.", status=404, code="not_found")
        of_team = (team_members.c.tenant == tenant, team_members.c.team == id)
        await connection.execute(delete(team_members).where(*of_team, team_members.c.user == user))
        await _touch(connection, tenant, id, revision)
        await record(connection, actor, "team.take", id, tenant=tenant, before={"user": user})
        return await _present(connection, tenant, id)


async def _is_in(connection: AsyncConnection, tenant: str, id: str, user: str) -> bool:
    of_team = (team_members.c.tenant == tenant, team_members.c.team == id)
    query = select(team_members.c.user).where(*of_team, team_members.c.user == user)
    return (await connection.execute(query)).one_or_none() is not None


async def _touch(connection: AsyncConnection, tenant: str, id: str, revision: int, **values: str) -> None:
    changed = {**values, "updated_at": time.time(), "revision": revision}
    await connection.execute(
        update(teams).where(teams.c.tenant == tenant, teams.c.id == id).values(**changed)
    )


async def _present(connection: AsyncConnection, tenant: str, id: str) -> Team:
    return await of_tenant(connection, teams, tenant, id, Team, "team")
