"""Names of models that were made or changed while the gateway runs. They are the whole gateway's, as those of the config."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.checks import check_name
from gateway.store.identity_tables import model_routes
from gateway.store.structs import many, one

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION: Final = "model_routes"
LONGEST_NAME: Final = 200


class StoredRoute(Struct, frozen=True, kw_only=True):
    """A row of `model_routes`. Times are Unix seconds."""

    name: str
    targets: Sequence[Mapping[str, Any]]
    """As in the config, each a table; none where only `enabled` is to differ from what there is without the row."""
    policy: str
    enabled: bool
    created_at: float
    updated_at: float
    revision: int


async def all_routes(database: Database) -> list[StoredRoute]:
    """All rows, by name."""
    async with database.connect() as connection:
        return await many(connection, select(model_routes).order_by(model_routes.c.name), StoredRoute)


async def add_route(
    database: Database,
    name: str,
    *,
    targets: Sequence[Mapping[str, Any]],
    policy: str,
    enabled: bool,
    actor: Actor,
) -> StoredRoute:
    """Add a row. Raises `InvalidRequest`: 409 when there is one of that name."""
    check_name("name of a model", name, LONGEST_NAME, param="id")
    values = {"targets": list(targets), "policy": policy, "enabled": enabled}
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        if await _find(connection, name) is not None:
            raise InvalidRequest(
                f"There is an entry for {name!r} already; change that.",
                status=409,
                code="conflict",
                param="id",
            )
        await connection.execute(
            insert(model_routes).values(
                name=name, **values, created_at=now, updated_at=now, revision=revision
            )
        )
        await record(connection, actor, "model.create", name, tenant="", after=values)
        return await _present(connection, name)


async def change_route(
    database: Database, name: str, values: Mapping[str, Any], *, actor: Actor, expected: Expected = None
) -> StoredRoute:
    """Change columns of a row. Raises `InvalidRequest`: 404 when there is none, 412 when it has changed meanwhile."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, name)
        check_expected(expected, before.revision)
        await connection.execute(
            update(model_routes)
            .where(model_routes.c.name == name)
            .values(**values, updated_at=time.time(), revision=revision)
        )
        after = await _present(connection, name)
        await record(
            connection, actor, "model.change", name, tenant="", before=_audited(before), after=_audited(after)
        )
    return after


async def remove_route(
    database: Database, name: str, *, actor: Actor, expected: Expected = None
) -> StoredRoute:
    """Take a row away; return what it was. Raises as `change_route`."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        row = await _present(connection, name)
        check_expected(expected, row.revision)
        await connection.execute(delete(model_routes).where(model_routes.c.name == name))
        await record(connection, actor, "model.remove", name, tenant="", before=_audited(row))
    return row


async def _present(connection: AsyncConnection, name: str) -> StoredRoute:
    found = await _find(connection, name)
    if found is None:
        raise InvalidRequest(
            f"There is no entry for {name!r}; names of the config are changed by adding one.",
            status=404,
            code="not_found",
            param="id",
        )
    return found


async def _find(connection: AsyncConnection, name: str) -> StoredRoute | None:
    return await one(connection, select(model_routes).where(model_routes.c.name == name), StoredRoute)


def _audited(row: StoredRoute) -> dict[str, Any]:
    return {"targets": list(row.targets), "policy": row.policy, "enabled": row.enabled}
