"""Roles of a tenant's own, beside those that every tenant has."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.identity_tables import invitations, memberships, roles, service_accounts
from gateway.store.structs import many, one

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "roles"
_MAX_NAME = 64
_MAX_DESCRIPTION = 500


class Role(Struct, frozen=True, kw_only=True):
    """A row of `roles`. Times are Unix seconds."""

    tenant: str
    name: str
    description: str
    permissions: frozenset[str]
    created_at: float
    updated_at: float
    revision: int


async def custom_roles(database: Database, tenant: str) -> list[Role]:
    """The tenant's own roles, by name."""
    async with database.connect() as connection:
        return await many(
            connection, select(roles).where(roles.c.tenant == tenant).order_by(roles.c.name), Role
        )


async def custom_role(connection: AsyncConnection, tenant: str, name: str) -> Role | None:
    """A role of the tenant's own; None when there is none of that name."""
    return await one(connection, select(roles).where(roles.c.tenant == tenant, roles.c.name == name), Role)


async def create_role(
    database: Database,
    tenant: str,
    name: str,
    *,
    description: str = "",
    permissions: Collection[str],
    actor: Actor,
) -> Role:
    """Create a role. Raises `InvalidRequest`: 409 when the tenant has one of that name."""
    check_name("name of a role", name, _MAX_NAME, param="name")
    _check_description(description)
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        if await custom_role(connection, tenant, name) is not None:
            raise InvalidRequest(
                f"There is a role {name!r} already.", status=409, code="conflict", param="name"
            )
        values: dict[str, Any] = {"description": description, "permissions": sorted(permissions)}
        await connection.execute(
            insert(roles).values(
                tenant=tenant, name=name, created_at=now, updated_at=now, revision=revision, **values
            )
        )
        await record(connection, actor, "role.create", name, tenant=tenant, after=values)
        return await _present(connection, tenant, name)


async def change_role(
    database: Database,
    tenant: str,
    name: str,
    *,
    description: str | None = None,
    permissions: Collection[str] | None = None,
    actor: Actor,
    expected: Expected = None,
) -> Role:
    """Change what a role is for or what it permits. Raises `InvalidRequest` (404, 412)."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, name)
        check_expected(expected, before.revision)
        if description is None:
            description = before.description
        _check_description(description)
        values: dict[str, Any] = {
            "description": description,
            "permissions": sorted(before.permissions if permissions is None else permissions),
        }
        changed = {**values, "updated_at": time.time(), "revision": revision}
        statement = update(roles).where(roles.c.tenant == tenant, roles.c.name == name)
        await connection.execute(statement.values(**changed))
        was = {"description": before.description, "permissions": sorted(before.permissions)}
        await record(connection, actor, "role.change", name, tenant=tenant, before=was, after=values)
        return await _present(connection, tenant, name)


async def delete_role(
    database: Database, tenant: str, name: str, *, actor: Actor, expected: Expected = None
) -> None:
    """Delete a role that nobody has. Raises `InvalidRequest` (404, 409 while somebody has it, 412)."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, name)
        check_expected(expected, before.revision)
        for table, who in (
            (memberships, "a member"),
            (service_accounts, "a service account"),
            (invitations, "an invitation"),
        ):
            held = select(table.c.role).where(table.c.tenant == tenant, table.c.role == name)
            if table is invitations:
                held = held.where(
                    invitations.c.accepted_at.is_(None),
                    invitations.c.revoked_at.is_(None),
                    invitations.c.expires_at > time.time(),
                )
            if (await connection.execute(held.limit(1))).one_or_none() is not None:
                raise InvalidRequest(
                    f"The role {name!r} cannot be deleted while {who} has it.", status=409, code="conflict"
                )
        await connection.execute(delete(roles).where(roles.c.tenant == tenant, roles.c.name == name))
        was = {"description": before.description, "permissions": sorted(before.permissions)}
        await record(connection, actor, "role.delete", name, tenant=tenant, before=was)


async def _present(connection: AsyncConnection, tenant: str, name: str) -> Role:
    found = await custom_role(connection, tenant, name)
    if found is None:
        raise InvalidRequest(f"There is no role {name!r} of the tenant's own.", status=404, code="not_found")
    return found


def _check_description(description: str) -> None:
    if len(description) > _MAX_DESCRIPTION or not description.isprintable():
        raise InvalidRequest(
            f"The description of a role is at most {_MAX_DESCRIPTION} printable characters.",
            param="description",
        )
