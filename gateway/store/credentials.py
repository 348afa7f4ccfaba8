"""Credentials of providers, sealed: the operator's (tenant '') and those that tenants bring along.

Nothing here knows a secret. What somebody changes is audited; what the gateway observes while it uses a credential
(`note`) is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace
from sqlalchemy import ColumnElement, case, delete, func, insert, select, tuple_, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.identity_tables import credentials

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

OPERATOR: Final = ""
"""The tenant whose credentials everybody uses who has none of their own."""
REVISION: Final = "credentials"
MOST_OF_A_TENANT: Final = 20
"""For one provider: all of them are in every worker's memory."""


State: TypeAlias = Literal["untried", "working", "failing", "disabled"]


class StoredCredential(Struct, frozen=True, kw_only=True):
    """A row of `credentials`. Times are Unix seconds."""

    tenant: str
    id: str
    provider: str
    """The instance in plugins.toml."""
    kind: str
    """Which fields it has: `api_key`, or as its provider says."""
    name: str
    sealed: bytes
    master_key: str
    """Id of the key that it is sealed with."""
    hint: str
    weight: int
    enabled: bool
    last_error: str | None
    last_error_at: float | None
    checked_at: float | None
    """When a real call with it last succeeded."""
    created_at: float
    updated_at: float
    revision: int

    @property
    def state(self) -> State:
        """`disabled`; `failing` when the provider refused it last; `working`; `untried`."""
        if not self.enabled:
            return "disabled"
        if self.last_error_at is not None and self.last_error_at >= (self.checked_at or 0):
            return "failing"
        return "untried" if self.checked_at is None else "working"


_STATE: Final = case(
    (credentials.c.enabled.is_(False), "disabled"),
    (credentials.c.last_error_at >= func.coalesce(credentials.c.checked_at, 0.0), "failing"),
    (credentials.c.checked_at.is_(None), "untried"),
    else_="working",
)
"""As `StoredCredential.state`."""


class Note(Struct, frozen=True, kw_only=True):
    """What came of using a credential."""

    tenant: str
    id: str
    at: float
    error: str | None
    """None for success."""


async def insert_credential(database: Database, row: StoredCredential, *, actor: Actor) -> StoredCredential:
    """Add a row; its revision is set here. Raises `InvalidRequest` (409) when a tenant has too many for a provider."""
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        if row.tenant != OPERATOR:
            await _refuse_too_many(connection, row)
        values = {**asdict(row), "revision": revision}
        await connection.execute(insert(credentials).values(**values))
        stored = await _get(connection, row.id, row.tenant)
        await record(connection, actor, "credential.add", row.id, tenant=row.tenant, after=_audited(stored))
    return stored


async def list_credentials(database: Database, *, tenant: str) -> list[StoredCredential]:
    """Those of one tenant, '' for the operator's, oldest first."""
    return await _select(database, credentials.c.tenant == tenant)


async def page_of_credentials(
    database: Database,
    *,
    tenant: str,
    provider: str | None = None,
    kind: str | None = None,
    states: Collection[State] = (),
    after: tuple[float, str] | None,
    limit: int,
) -> list[StoredCredential]:
    """Some of a tenant's, oldest first; `after` holds `created_at` and `id` of the last one before. No states are all."""
    where = [credentials.c.tenant == tenant]
    if provider is not None:
        where.append(credentials.c.provider == provider)
    if kind is not None:
        where.append(credentials.c.kind == kind)
    if states:
        where.append(_STATE.in_(states))
    if after is not None:
        where.append(tuple_(credentials.c.created_at, credentials.c.id) > after)
    return await _select(database, *where, limit=limit)


async def all_credentials(database: Database) -> list[StoredCredential]:
    """Everybody's: for the gateway itself and its operator."""
    return await _select(database)


async def get_credential(database: Database, id: str, *, tenant: str) -> StoredCredential:
    """One of a tenant's. Raises `InvalidRequest` (404) when it has none of that id."""
    async with database.connect() as connection:
        return await _get(connection, id, tenant)


async def change_credential(
    database: Database,
    id: str,
    *,
    tenant: str,
    actor: Actor,
    name: str | UnsetType = UNSET,
    weight: int | UnsetType = UNSET,
    enabled: bool | UnsetType = UNSET,
    expected: Expected = None,
) -> StoredCredential:
    """Change what is given. `expected` are revisions that the caller may have seen.

    Raises `InvalidRequest`: 404 when the tenant has none of that id, 412 when it has changed meanwhile.
    """
    given = {"name": name, "weight": weight, "enabled": enabled}
    values: dict[str, Any] = {key: value for key, value in given.items() if value is not UNSET}
    return await _update(database, id, tenant, actor, "credential.change", values, expected)


async def replace_secret(
    database: Database, row: StoredCredential, *, actor: Actor, expected: Expected = None
) -> StoredCredential:
    """Store a row with another secret, and with what is known of that. Raises as `change_credential`."""
    names = (
        "name",
        "weight",
        "enabled",
        "kind",
        "sealed",
        "master_key",
        "hint",
        "last_error",
        "last_error_at",
        "checked_at",
    )
    values = {name: getattr(row, name) for name in names}
    return await _update(database, row.id, row.tenant, actor, "credential.replace", values, expected)


async def remove_credential(
    database: Database, id: str, *, tenant: str, actor: Actor, expected: Expected = None
) -> StoredCredential:
    """Take one away, for good; return what it was. Raises as `change_credential`."""
    async with database.begin() as connection:
        await bump(connection, REVISION)
        row = await _get(connection, id, tenant)
        check_expected(expected, row.revision)
        await connection.execute(delete(credentials).where(*_is(id, tenant)))
        await record(connection, actor, "credential.remove", id, tenant=tenant, before=_audited(row))
    return row


async def note(database: Database, notes: Sequence[Note]) -> None:
    """Write down what came of using credentials. One that is gone meanwhile is passed over.

    Another state is another revision, so that whoever holds an ETag sees it; the time of yet another success is not.
    """
    for one in notes:
        async with database.begin() as connection:  # one row each: nobody waits for each other
            where = _is(one.id, one.tenant)
            found = (await connection.execute(select(credentials).where(*where))).one_or_none()
            if found is None:
                continue
            values: dict[str, Any] = {"checked_at": one.at}
            if one.error is not None:
                values = {"last_error": one.error, "last_error_at": one.at}
            before = _row(found)
            if replace(before, **values).state != before.state:
                values["revision"] = await bump(connection, REVISION)
            await connection.execute(update(credentials).where(*where).values(**values))


async def rewrap_some(
    database: Database,
    *,
    key: str,
    rewrap: Callable[[StoredCredential], bytes | None],
    actor: Actor,
    limit: int,
    after: str = "",
) -> list[StoredCredential]:
    """Seal some rows with the master key `key` that are not yet, in the order of their ids; return those looked at.

    One transaction: all of them are done, or none. `rewrap` gives the new envelope, or None to leave a row as it is.
    """
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)  # holds off everybody who would change a row meanwhile
        statement = (
            select(credentials)
            .where(credentials.c.master_key != key, credentials.c.id > after)
            .order_by(credentials.c.id)
            .limit(limit)
        )
        rows = [_row(row) for row in await connection.execute(statement)]
        done = 0
        for row in rows:
            sealed = rewrap(row)
            if sealed is None:
                continue
            done += 1
            await connection.execute(
                update(credentials)
                .where(*_is(row.id, row.tenant))
                .values(sealed=sealed, master_key=key, revision=revision)
            )
        if done:
            await record(connection, actor, "vault.rotate", key, tenant="", after={"credentials": done})
    return rows


async def count_by_key(database: Database) -> dict[str, int]:
    """How many credentials are sealed with each master key, by its id."""
    statement = select(credentials.c.master_key, func.count()).group_by(credentials.c.master_key)
    async with database.connect() as connection:
        return {key: count for key, count in await connection.execute(statement)}  # noqa: C416 - rows are no pairs


async def _refuse_too_many(connection: AsyncConnection, row: StoredCredential) -> None:
    same = (credentials.c.tenant == row.tenant, credentials.c.provider == row.provider)
    count = await connection.scalar(select(func.count()).select_from(credentials).where(*same))
    if (count or 0) >= MOST_OF_A_TENANT:
        raise InvalidRequest(
            f"A tenant may have {MOST_OF_A_TENANT} credentials for a provider; remove one first.",
            status=409,
            code="too_many_credentials",
        )


async def _update(
    database: Database,
    id: str,
    tenant: str,
    actor: Actor,
    action: str,
    values: dict[str, Any],
    expected: Expected,
) -> StoredCredential:
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _get(connection, id, tenant)
        check_expected(expected, before.revision)
        await connection.execute(
            update(credentials)
            .where(*_is(id, tenant))
            .values(**values, updated_at=time.time(), revision=revision)
        )
        after = await _get(connection, id, tenant)
        await record(
            connection, actor, action, id, tenant=tenant, before=_audited(before), after=_audited(after)
        )
    return after


async def _select(
    database: Database, *where: ColumnElement[bool], limit: int | None = None
) -> list[StoredCredential]:
    order = credentials.c.created_at, credentials.c.id
    statement = select(credentials).where(*where).order_by(*order).limit(limit)
    async with database.connect() as connection:
        return [_row(row) for row in await connection.execute(statement)]


async def _get(connection: AsyncConnection, id: str, tenant: str) -> StoredCredential:
    row = (await connection.execute(select(credentials).where(*_is(id, tenant)))).one_or_none()
    if row is None:
        raise InvalidRequest(f"There is no credential {id!r}.", status=404, code="not_found", param="id")
    return _row(row)


def _is(id: str, tenant: str) -> tuple[ColumnElement[bool], ...]:
    return credentials.c.tenant == tenant, credentials.c.id == id


def _audited(row: StoredCredential) -> dict[str, Any]:
    names = ("provider", "kind", "name", "hint", "weight", "enabled", "master_key")
    return {name: getattr(row, name) for name in names}


def _row(row: Row[Any]) -> StoredCredential:
    values: dict[str, Any] = {name: getattr(row, name) for name in StoredCredential.__struct_fields__}
    values["sealed"] = bytes(row.sealed)
    return StoredCredential(**values)
