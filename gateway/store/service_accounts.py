"""Service accounts: callers that are no people. Their API keys name them as owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import delete, insert, select, update

from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.identity_tables import service_accounts
from gateway.store.random_ids import new_id
from gateway.store.structs import of_tenant, page
from gateway.store.tables import api_keys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "service_accounts"
_MAX_NAME = 200


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """A row of `service_accounts`. Times are Unix seconds."""

    tenant: str
    id: str
    name: str
    role: str
    created_at: float
    updated_at: float
    disabled_at: float | None
    revision: int


async def create_service_account(
    database: Database, tenant: str, name: str, role: str, *, actor: Actor
) -> ServiceAccount:
    """Create a service account; it can do nothing before it has a key. Raises `InvalidRequest` for a bad name."""
    check_name("name of a service account", name, _MAX_NAME, param="name")
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        row = ServiceAccount(
            tenant=tenant,
            id=new_id("svc_"),
            name=name,
            role=role,
            created_at=now,
            updated_at=now,
            disabled_at=None,
            revision=revision,
        )
        values = asdict(row)
        await connection.execute(insert(service_accounts).values(**values))
        after = {"name": name, "role": role}
        await record(connection, actor, "service_account.create", row.id, tenant=tenant, after=after)
    return row


async def get_service_account(database: Database, tenant: str, id: str) -> ServiceAccount:
    """A service account of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, id)


async def list_service_accounts(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[ServiceAccount]:
    """The service accounts of a tenant by id; `after` is the last one of the page before."""
    query = select(service_accounts).where(service_accounts.c.tenant == tenant)
    return await page(database, query, service_accounts.c.id, ServiceAccount, after=after, limit=limit)


async def change_service_account(  # noqa: PLR0913 - one for each thing that may change
    database: Database,
    tenant: str,
    id: str,
    *,
    name: str | None = None,
    role: str | None = None,
    disabled: bool | None = None,
    may: Callable[[ServiceAccount], object],
    actor: Actor,
    expected: Expected = None,
) -> ServiceAccount:
    """Change what is given. `may` raises when the actor may not do it to that account.

    Raises `InvalidRequest` (404, 412).
    """
    if name is not None:
        check_name("name of a service account", name, _MAX_NAME, param="name")
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        may(before)
        values: dict[str, Any] = {"name": name or before.name, "role": role or before.role}
        values["disabled_at"] = before.disabled_at
        if disabled is not None and disabled == (before.disabled_at is None):
            values["disabled_at"] = now if disabled else None
        await connection.execute(
            update(service_accounts)
            .where(service_accounts.c.tenant == tenant, service_accounts.c.id == id)
            .values(**values, updated_at=now, revision=revision)
        )
        was = {name: getattr(before, name) for name in values}
        await record(connection, actor, "service_account.change", id, tenant=tenant, before=was, after=values)
        return await _present(connection, tenant, id)


async def delete_service_account(
    database: Database,
    tenant: str,
    id: str,
    *,
    may: Callable[[ServiceAccount], object],
    actor: Actor,
    expected: Expected = None,
) -> None:
    """Delete a service account and revoke its keys; as `change_service_account` otherwise."""
    now = time.time()
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        may(before)
        revision = await bump(connection, "api_keys")
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.tenant == tenant, api_keys.c.owner == id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=now, revision=revision)
        )
        await connection.execute(
            delete(service_accounts).where(service_accounts.c.tenant == tenant, service_accounts.c.id == id)
        )
        was = {"name": before.name, "role": before.role}
        await record(connection, actor, "service_account.delete", id, tenant=tenant, before=was)


async def _present(connection: AsyncConnection, tenant: str, id: str) -> ServiceAccount:
    return await of_tenant(connection, service_accounts, tenant, id, ServiceAccount, "service account")
