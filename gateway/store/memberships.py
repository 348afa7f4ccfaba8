"""Memberships: which user has which role in which tenant. A tenant sees its members, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.identity_tables import memberships, team_members, users
from gateway.store.searching import contains
from gateway.store.structs import one, page

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "memberships"
OWNER = "owner"


class Member(Struct, frozen=True, kw_only=True):
    """A user as a tenant sees them. Times are Unix seconds."""

    tenant: str
    user: str
    role: str
    name: str
    email: str | None
    email_verified: bool
    disabled_at: float | None
    created_at: float
    """Since when they are a member."""
    revision: int


async def add_member(
    connection: AsyncConnection, tenant: str, user: str, role: str, *, revision: int
) -> None:
    """Add a member within a transaction that has bumped `memberships`, and that writes to the audit log itself.

    Raises `InvalidRequest` (409) when the user is one already.
    """
    if await _member(connection, tenant, user) is not None:
        raise InvalidRequest(f"{user} is a member of {tenant!r} already.", status=409, code="conflict")
    await connection.execute(
        insert(memberships).values(
            tenant=tenant, user=user, role=role, created_at=time.time(), revision=revision
        )
    )


async def roles_of(connection: AsyncConnection, user: str) -> Mapping[str, str]:
    """The tenants of a user, and the role in each; the oldest membership first."""
    query = (
        select(memberships.c.tenant, memberships.c.role)
        .where(memberships.c.user == user)
        .order_by(memberships.c.created_at, memberships.c.tenant)
    )
    return {row.tenant: row.role for row in await connection.execute(query)}


async def is_member(connection: AsyncConnection, tenant: str, user: str) -> bool:
    """Whether the user is a member of that tenant."""
    return await _member(connection, tenant, user) is not None


async def get_member(database: Database, tenant: str, user: str) -> Member:
    """A member of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, user)


async def list_members(
    database: Database,
    tenant: str,
    *,
    after: str | None = None,
    limit: int | None = None,
    search: str | None = None,
) -> list[Member]:
    """The members of a tenant by the ids of their users; `after` is the last one of the page before.

    With `search` those alone in whose id, name or e-mail address it is.
    """
    query = _members(tenant)
    if search is not None:
        query = query.where(contains(search, users.c.id, users.c.name, users.c.email))
    return await page(database, query, memberships.c.user, Member, after=after, limit=limit)


async def change_member(
    database: Database,
    tenant: str,
    user: str,
    role: str,
    *,
    may: Callable[[Member], object],
    actor: Actor,
    expected: Expected = None,
) -> Member:
    """Give a member another role. `may` raises when the actor may not do it to that member.

    Raises `InvalidRequest` (404, 412), and 409 when the tenant would have no owner left.
    """
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, user)
        check_expected(expected, before.revision)
        may(before)
        if role != OWNER:
            await _keep_owner(connection, tenant, user, before.role)
        await connection.execute(
            update(memberships)
            .where(memberships.c.tenant == tenant, memberships.c.user == user)
            .values(role=role, revision=revision)
        )
        was, now = {"role": before.role}, {"role": role}
        await record(connection, actor, "member.change", user, tenant=tenant, before=was, after=now)
        return await _present(connection, tenant, user)


async def remove_member(
    database: Database,
    tenant: str,
    user: str,
    *,
    may: Callable[[Member], object],
    actor: Actor,
    expected: Expected = None,
) -> None:
    """Take a user out of the tenant and of its teams; as `change_member` otherwise."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, user)
        check_expected(expected, before.revision)
        may(before)
        await _keep_owner(connection, tenant, user, before.role)
        for table in (team_members, memberships):
            await connection.execute(delete(table).where(table.c.tenant == tenant, table.c.user == user))
        await record(connection, actor, "member.remove", user, tenant=tenant, before={"role": before.role})


async def keep_owners(connection: AsyncConnection, user: str) -> None:
    """Refuse to lose a user who is a tenant's last owner. Within a transaction that has bumped `memberships`."""
    for tenant, role in (await roles_of(connection, user)).items():
        await _keep_owner(connection, tenant, user, role)


async def _keep_owner(connection: AsyncConnection, tenant: str, user: str, role: str) -> None:
    """Refuse to lose the last owner who can sign in."""
    if role != OWNER:
        return
    others = (
        select(func.count())
        .select_from(memberships.join(users, users.c.id == memberships.c.user))
        .where(
            memberships.c.tenant == tenant,
            memberships.c.role == OWNER,
            memberships.c.user != user,
            users.c.disabled_at.is_(None),
        )
    )
    if not await connection.scalar(others):
        raise InvalidRequest(
            f"{user} is the last owner of {tenant!r}: make somebody else an owner first.",
            status=409,
            code="last_owner",
        )


def _members(tenant: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            memberships.c.tenant,
            memberships.c.user,
            memberships.c.role,
            memberships.c.created_at,
            memberships.c.revision,
            users.c.name,
            users.c.email,
            users.c.email_verified,
            users.c.disabled_at,
        )
        .select_from(memberships.join(users, users.c.id == memberships.c.user))
        .where(memberships.c.tenant == tenant)
    )


async def _member(connection: AsyncConnection, tenant: str, user: str) -> Member | None:
    return await one(connection, _members(tenant).where(memberships.c.user == user), Member)


async def _present(connection: AsyncConnection, tenant: str, user: str) -> Member:
    found = await _member(connection, tenant, user)
    if found is None:
        raise InvalidRequest(f"There is no member {user!r}.", status=404, code="not_found")
    return found
