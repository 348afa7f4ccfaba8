"""Tenants: who is served, billed and kept apart. These functions are the operator's but for those that take one tenant."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import insert, null, select, tuple_, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.structs import many, one
from gateway.store.tables import revisions, tenants
from gateway.types import CallLimits

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "tenants"
MAX_ID = 64
MAX_NAME = 200
_JSON = frozenset({"models", "providers", "limits"})


class Tenant(Struct, frozen=True, kw_only=True):
    """A row of `tenants`. Times are Unix seconds."""

    id: str
    name: str
    created_at: float
    updated_at: float | None
    suspended_at: float | None
    erased_at: float | None
    models: tuple[str, ...] | None
    """Names (or `prefix*` patterns) that it may call; None allows all."""
    providers: tuple[str, ...] | None
    """Names of the providers that may serve it; None allows all."""
    limits: CallLimits | None
    retention_days: int | None
    """After so many days calls lose what is personal; None: never."""
    revision: int

    @property
    def state(self) -> str:
        """`active`, `suspended` or `erased`."""
        if self.erased_at is not None:
            return "erased"
        return "active" if self.suspended_at is None else "suspended"


class TenantSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be changed of a tenant; what is left unset stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    models: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    providers: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    limits: CallLimits | msgspec.UnsetType | None = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET


UNCHANGED: Final = TenantSettings()


async def create_tenant(
    database: Database, id: str, settings: TenantSettings = UNCHANGED, *, actor: Actor
) -> Tenant:
    """Create a tenant. Raises `InvalidRequest`: 409 when there is one of that id, even an erased one."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        created = await insert_tenant(connection, id, settings, revision=revision)
        await record(connection, actor, "tenant.create", id, tenant=id, after=_shown(settings))
    return created


async def insert_tenant(
    connection: AsyncConnection, id: str, settings: TenantSettings, *, revision: int
) -> Tenant:
    """Create a tenant within a transaction that has bumped `tenants`, and that writes to the audit log itself."""
    check_name("id of a tenant", id, MAX_ID, param="id")
    _check(settings)
    if (await connection.execute(select(tenants.c.id).where(tenants.c.id == id))).one_or_none() is not None:
        raise InvalidRequest(f"There is a tenant {id!r} already.", status=409, code="conflict", param="id")
    values = {"name": id, **_stored(settings)}
    await connection.execute(
        insert(tenants).values(id=id, created_at=time.time(), revision=revision, **values)
    )
    return await _get(connection, id)


async def get_tenant(database: Database, tenant: str) -> Tenant:
    """The tenant of that id. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _get(connection, tenant)


async def list_tenants(
    database: Database, *, after: tuple[float, str] | None = None, limit: int | None = None
) -> list[Tenant]:
    """Tenants, oldest first; `after` is (`created_at`, `id`) of the last one of the page before. For the operator."""
    query = select(tenants).order_by(tenants.c.created_at, tenants.c.id)
    if after is not None:
        query = query.where(tuple_(tenants.c.created_at, tenants.c.id) > after)
    async with database.connect() as connection:
        return await many(connection, query if limit is None else query.limit(limit), Tenant)


async def change_tenant(
    database: Database, tenant: str, settings: TenantSettings, *, actor: Actor, expected: Expected = None
) -> Tenant:
    """Change what `settings` holds; all workers know within a second.

    Raises `InvalidRequest`: 404, 409 for an erased tenant, 412 when its revision is none of `expected`.
    """
    _check(settings)
    return await _change(database, tenant, _stored(settings), "tenant.change", actor, expected)


async def suspend_tenant(
    database: Database, tenant: str, *, operator_tenant: str, actor: Actor, expected: Expected = None
) -> Tenant:
    """Refuse a tenant's calls from now on. Raises `InvalidRequest`, for the operator's own tenant too (409)."""
    if tenant == operator_tenant:
        raise InvalidRequest(
            "The operator's own tenant cannot be suspended: nobody could resume it.",
            status=409,
            code="conflict",
        )
    return await _change(database, tenant, {"suspended_at": time.time()}, "tenant.suspend", actor, expected)


async def resume_tenant(
    database: Database, tenant: str, *, actor: Actor, expected: Expected = None
) -> Tenant:
    """Serve a suspended tenant again. Raises `InvalidRequest`: 404, 409 for an erased tenant, 412."""
    return await _change(database, tenant, {"suspended_at": None}, "tenant.resume", actor, expected)


async def tenants_since(database: Database, revision: int) -> tuple[int, list[Tenant]]:
    """The present revision and the tenants that changed after the given one (0 gives all that were ever changed)."""
    async with database.connect() as connection:
        current = await connection.scalar(select(revisions.c.value).where(revisions.c.name == REVISION)) or 0
        if current == revision:
            return current, []
        changed = await many(connection, select(tenants).where(tenants.c.revision > revision), Tenant)
    return max([current, *(row.revision for row in changed)]), changed


async def ensure_tenant(connection: AsyncConnection, tenant: str, *, revision: int) -> None:
    """Create the tenant within a transaction that has bumped `tenants`, unless it is there."""
    if (await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant))).one_or_none() is None:
        await insert_tenant(connection, tenant, UNCHANGED, revision=revision)


async def _change(
    database: Database,
    tenant: str,
    values: Mapping[str, Any],
    action: str,
    actor: Actor,
    expected: Expected,
) -> Tenant:
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _get(connection, tenant)
        check_expected(expected, before.revision)
        if before.erased_at is not None:
            raise InvalidRequest(f"The tenant {tenant!r} is erased.", status=409, code="conflict")
        statement = update(tenants).where(tenants.c.id == tenant)
        changed = {**values, "updated_at": time.time(), "revision": revision}
        await connection.execute(statement.values(**changed))
        after = await _get(connection, tenant)
        names = list(values)
        await record(
            connection,
            actor,
            action,
            tenant,
            tenant=tenant,
            before=_picked(before, names),
            after=_picked(after, names),
        )
    return after


async def _get(connection: AsyncConnection, tenant: str) -> Tenant:
    found = await one(connection, select(tenants).where(tenants.c.id == tenant), Tenant)
    if found is None:
        raise InvalidRequest(f"There is no tenant {tenant!r}.", status=404, code="not_found")
    return found


def _check(settings: TenantSettings) -> None:
    if isinstance(settings.name, str):
        check_name("name of a tenant", settings.name, MAX_NAME, param="name")
    for what in ("models", "providers"):
        names: Sequence[str] | msgspec.UnsetType | None = getattr(settings, what)
        for name in () if names is None or names is msgspec.UNSET else names:
            check_name(f"name in {what}", name, MAX_NAME, param=what)
    days = settings.retention_days
    if isinstance(days, int) and days < 1:
        raise InvalidRequest("retention_days is a whole number from 1 on.", param="retention_days")
    if isinstance(settings.limits, CallLimits):
        for name, value in msgspec.structs.asdict(settings.limits).items():
            if value is not None and value < 1:
                raise InvalidRequest(f"The limit {name} is a whole number from 1 on.", param="limits")


def _shown(settings: TenantSettings) -> dict[str, Any]:
    return msgspec.to_builtins(settings)


def _stored(settings: TenantSettings) -> dict[str, Any]:
    """The columns of what is set; a JSON column that is to be empty holds NULL, not JSON's null."""
    values = _shown(settings)
    return {name: null() if name in _JSON and value is None else value for name, value in values.items()}


def _picked(tenant: Tenant, names: Sequence[str]) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(tenant, name)) for name in names}
