"""Components: services that sign their calls, each with a key of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.identity_tables import components
from gateway.store.random_ids import new_id
from gateway.store.structs import many, of_tenant, page
from gateway.types import MAKE_CALLS

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION: Final = "components"
REGISTRATION: Final = "component-registration"
"""The purpose of the tickets with which components register themselves."""

Scheme: TypeAlias = Literal["rfc9421", "aigne-app", "aigne-remote"]

_MAX_NAME: Final = 200
_KEY_BYTES: Final = 32


class NewComponent(Struct, frozen=True, kw_only=True):
    """What is decided about a component before its key is known. Also the data of a registration's ticket."""

    tenant: str
    name: str
    scopes: tuple[str, ...] = (MAKE_CALLS,)
    models: tuple[str, ...] | None = None


class Component(Struct, frozen=True, kw_only=True):
    """A row of `components`. Times are Unix seconds."""

    tenant: str
    id: str
    name: str
    scheme: Scheme
    key_id: str
    """As signatures name it: the did:key of the key, or an app's id."""
    public_key: bytes
    """32 bytes of Ed25519."""
    scopes: tuple[str, ...]
    models: tuple[str, ...] | None
    created_at: float
    updated_at: float
    disabled_at: float | None
    revision: int


def check_new(new: NewComponent) -> None:
    """Refuse a name that cannot be kept. Raises `InvalidRequest`."""
    check_name("name of a component", new.name, _MAX_NAME, param="name")


async def create_component(
    database: Database,
    new: NewComponent,
    scheme: Scheme,
    key_id: str,
    public_key: bytes,
    *,
    actor: Actor,
    disabled: bool = False,
) -> Component:
    """Register a component, `disabled` until an administrator lets it in. Raises `InvalidRequest` for a bad name or key, and (409) for a key that is registered."""
    check_new(new)
    if len(public_key) != _KEY_BYTES:
        raise InvalidRequest("A component's key is an Ed25519 public key of 32 bytes.", param="public_key")
    now = time.time()
    try:
        async with database.begin() as connection:
            row = Component(
                tenant=new.tenant,
                id=new_id("cmp_"),
                name=new.name,
                scheme=scheme,
                key_id=key_id,
                public_key=public_key,
                scopes=new.scopes,
                models=new.models,
                created_at=now,
                updated_at=now,
                disabled_at=now if disabled else None,
                revision=await bump(connection, REVISION),
            )
            await connection.execute(insert(components).values(_values(row)))
            after = {"name": new.name, "scheme": scheme, "key_id": key_id, "scopes": [*new.scopes]}
            after |= {"disabled": True} if disabled else {}
            await record(connection, actor, "component.register", row.id, tenant=new.tenant, after=after)
    except IntegrityError as error:
        raise InvalidRequest(
            f"The key {key_id} is registered already.", status=409, code="key_registered", param="public_key"
        ) from error
    return row


async def get_component(database: Database, tenant: str, id: str) -> Component:
    """A component of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, id)


async def list_components(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[Component]:
    """The components of a tenant by id; `after` is the last one of the page before."""
    query = select(components).where(components.c.tenant == tenant)
    return await page(database, query, components.c.id, Component, after=after, limit=limit)


async def count_waiting(database: Database, tenant: str) -> int:
    """How many components of a tenant have registered themselves, and were never let in."""
    never = components.c.disabled_at == components.c.created_at
    query = select(func.count()).select_from(components).where(components.c.tenant == tenant, never)
    async with database.connect() as connection:
        return await connection.scalar(query) or 0


async def all_components(database: Database) -> list[Component]:
    """The components of all tenants, for who verifies signatures."""
    async with database.connect() as connection:
        return await many(connection, select(components), Component)


async def change_component(
    database: Database,
    tenant: str,
    id: str,
    changes: Mapping[str, Any],
    *,
    actor: Actor,
    expected: Expected = None,
) -> Component:
    """Change `name`, `scopes`, `models` and `disabled`, as far as they are given. Raises `InvalidRequest` (404, 412)."""
    values = {**changes}
    if "name" in values:
        check_name("name of a component", values["name"], _MAX_NAME, param="name")
    for name in ("scopes", "models"):
        if values.get(name) is not None:
            values[name] = [*values[name]]
    now = time.time()
    disabled = values.pop("disabled", None)
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        if disabled is not None and disabled == (before.disabled_at is None):
            values["disabled_at"] = now if disabled else None
        was = {name: getattr(before, name) for name in values}
        await connection.execute(
            update(components)
            .where(components.c.tenant == tenant, components.c.id == id)
            .values(**values, updated_at=now, revision=revision)
        )
        await record(connection, actor, "component.change", id, tenant=tenant, before=was, after=values)
        return await _present(connection, tenant, id)


async def delete_component(
    database: Database, tenant: str, id: str, *, actor: Actor, expected: Expected = None
) -> None:
    """Remove a component: its signatures are refused from within a second on. Raises `InvalidRequest` (404, 412)."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        await connection.execute(
            delete(components).where(components.c.tenant == tenant, components.c.id == id)
        )
        was = {"name": before.name, "scheme": before.scheme, "key_id": before.key_id}
        await record(connection, actor, "component.remove", id, tenant=tenant, before=was)


async def _present(connection: AsyncConnection, tenant: str, id: str) -> Component:
    return await of_tenant(connection, components, tenant, id, Component, "component")


def _values(row: Component) -> dict[str, Any]:
    values = asdict(row)
    return {
        **values,
        "scopes": [*row.scopes],
        "models": None if row.models is None else [*row.models],
    }
