"""Personal data goes, financial rows stay: erasing tenants and users, and what is older than a tenant keeps it.

The audit log is not touched: its entries are chained, so they name people by id alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, delete, func, null, or_, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.forgetting import (
    ERASED,
    call_id_at,
    forget_in_calls,
    forget_in_notices,
    forget_notices,
    forget_stored,
)
from gateway.store.identity_tables import (
    admin_requests,
    components,
    credentials,
    identities,
    invitations,
    memberships,
    roles,
    service_accounts,
    sessions,
    team_members,
    teams,
    users,
)
from gateway.store.memberships import keep_owners
from gateway.store.stored_tables import batches
from gateway.store.tables import api_keys, model_calls, tenants
from gateway.store.users import present_user

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

_DAY = 86_400.0
_OWNED = (team_members, memberships, teams, roles, invitations, service_accounts, components, credentials)
_CHANGED = (
    "memberships",
    "users",
    "roles",
    "teams",
    "service_accounts",
    "invitations",
    "tenants",
    "api_keys",
    "components",
    "credentials",
    "sessions",
    "identities",
)
"""In the order in which every transaction that changes several of them counts them up."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did."""

    calls: int
    """Rows of the ledger that lost what was personal in them."""
    users: int
    """Users that were erased."""


async def erase_tenant(database: Database, tenant: str, *, operator_tenant: str, actor: Actor) -> Erased:
    """Erase a tenant for good: its calls are refused, its members, keys, credentials and contents go.

    Users who are members of no other tenant are erased too. It may be repeated, when it was broken off. Raises
    `InvalidRequest`: 404, and 409 for the operator's own tenant.
    """
    if tenant == operator_tenant:
        raise InvalidRequest("The operator's own tenant cannot be erased.", status=409, code="conflict")
    now = time.time()
    async with database.begin() as connection:
        revisions = {name: await bump(connection, name) for name in _CHANGED}
        known = await connection.execute(select(tenants.c.erased_at).where(tenants.c.id == tenant))
        if (row := known.one_or_none()) is None:
            raise InvalidRequest(f"There is no tenant {tenant!r}.", status=404, code="not_found")
        lonely = await _members_of_no_other(connection, tenant)
        for user in lonely:
            await _forget_user(connection, user, now, revisions)
        await _end_sessions(connection, sessions.c.tenant == tenant, now, revisions["sessions"])
        await _end_keys(connection, api_keys.c.tenant == tenant, now, revisions["api_keys"])
        for table in (*_OWNED, admin_requests):
            await connection.execute(delete(table).where(table.c.tenant == tenant))
        await connection.execute(
            update(tenants)
            .where(tenants.c.id == tenant)
            .values(
                name=ERASED,
                suspended_at=None,
                erased_at=row.erased_at or now,
                swept_until=None,
                revision=revisions["tenants"],
            )
        )
        after = {"users": len(lonely)}
        await record(connection, actor, "tenant.erase", tenant, tenant=tenant, after=after)
    await forget_stored(database, tenant)
    await forget_notices(database, tenant)
    await forget_in_notices(database, lonely)
    # Whoever is erased may have made calls for tenants that they have left before.
    theirs = or_(model_calls.c.tenant == tenant, model_calls.c.user.in_(lonely))
    calls = await forget_in_calls(database, theirs)
    return Erased(calls=calls, users=len(lonely))


async def erase_user(database: Database, user: str, *, actor: Actor) -> Erased:
    """Erase a user for good, in all tenants: sign-ins, sessions, keys, and what is personal in their calls.

    It may be repeated, when it was broken off. Raises `InvalidRequest`: 404, and 409 when a tenant would have no owner
    left.
    """
    now = time.time()
    async with database.begin() as connection:
        revisions = {name: await bump(connection, name) for name in _CHANGED}
        found = await connection.execute(select(users.c.erased_at).where(users.c.id == user))
        row = found.one_or_none()
        if row is None or row.erased_at is None:
            await present_user(connection, user)
            await keep_owners(connection, user)
            await _forget_user(connection, user, now, revisions)
            await record(connection, actor, "user.erase", user, tenant="")
        owned = await connection.execute(
            select(api_keys.c.tenant, api_keys.c.id).where(api_keys.c.owner == user)
        )
        keys = [(row.tenant, row.id) for row in owned]
    ids = [key for _, key in keys]
    for tenant in sorted({tenant for tenant, _ in keys}):
        await forget_stored(database, tenant, keys=[key for of, key in keys if of == tenant])
    await _forget_batches(database, user)
    await forget_in_notices(database, [user])
    calls = await forget_in_calls(database, or_(model_calls.c.user == user, model_calls.c.key.in_(ids)))
    return Erased(calls=calls, users=1)


async def sweep(database: Database, *, now: float) -> int:
    """Take from every tenant what it no longer keeps; return how many calls lost something.

    Goes over calls that came since the last sweep, and a day more: for calls that were still running then.
    """
    late = tenants.c.erased_at > now - 2 * _DAY  # what was running when it was erased has ended by then
    query = select(tenants).where(or_(tenants.c.retention_days.is_not(None), late))
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    count = 0
    for row in rows:
        until = now if row.erased_at is not None else now - row.retention_days * _DAY
        if row.swept_until is not None and row.swept_until >= until:
            continue
        await forget_stored(database, row.id, before=until)
        await forget_notices(database, row.id, before=until)
        since = "" if row.swept_until is None else call_id_at(row.swept_until - _DAY)
        of_tenant = and_(model_calls.c.tenant == row.id, model_calls.c.id < call_id_at(until))
        count += await forget_in_calls(database, of_tenant, since=since)
        async with database.begin() as connection:
            await connection.execute(update(tenants).where(tenants.c.id == row.id).values(swept_until=until))
    return count


async def _members_of_no_other(connection: AsyncConnection, tenant: str) -> list[str]:
    other = memberships.alias()
    elsewhere = select(other.c.user).where(other.c.user == memberships.c.user, other.c.tenant != tenant)
    query = select(memberships.c.user).where(memberships.c.tenant == tenant, ~elsewhere.exists())
    return [*(await connection.execute(query)).scalars()]


async def _forget_user(connection: AsyncConnection, user: str, now: float, revisions: dict[str, int]) -> None:
    email = await connection.scalar(select(users.c.email).where(users.c.id == user))
    if email is not None:
        await connection.execute(
            update(invitations)
            .where(func.lower(invitations.c.email) == email.lower())
            .values(
                email=None,
                revoked_at=func.coalesce(invitations.c.revoked_at, now),
                revision=revisions["invitations"],
            )
        )
    await connection.execute(
        update(users)
        .where(users.c.id == user)
        .values(
            name=ERASED,
            email=None,
            email_verified=False,
            locale=None,
            disabled_at=func.coalesce(users.c.disabled_at, now),
            erased_at=now,
            updated_at=now,
            revision=revisions["users"],
        )
    )
    for table in (identities, team_members, memberships):
        await connection.execute(delete(table).where(table.c.user == user))
    await _end_sessions(connection, sessions.c.user == user, now, revisions["sessions"])
    await _end_keys(connection, api_keys.c.owner == user, now, revisions["api_keys"])


async def _end_sessions(
    connection: AsyncConnection, which: ColumnElement[bool], now: float, revision: int
) -> None:
    ended = func.coalesce(sessions.c.revoked_at, now)
    values: dict[str, Any] = {"revoked_at": ended, "address": None, "agent": None, "revision": revision}
    await connection.execute(update(sessions).where(which).values(**values))


async def _end_keys(
    connection: AsyncConnection, which: ColumnElement[bool], now: float, revision: int
) -> None:
    ended = func.coalesce(api_keys.c.revoked_at, now)
    values: dict[str, Any] = {"revoked_at": ended, "name": ERASED, "networks": null(), "revision": revision}
    await connection.execute(update(api_keys).where(which).values(**values))


async def _forget_batches(database: Database, user: str) -> None:
    """Forget the batches that have ended of a user, who is named only within them."""
    query = select(batches.c.tenant, batches.c.id, batches.c.principal).where(batches.c.ended_at.is_not(None))
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    theirs: dict[str, Collection[str]] = {}
    for row in rows:
        if msgspec.json.decode(row.principal).get("user") == user:
            theirs[row.tenant] = [*theirs.get(row.tenant, ()), row.id]
    for tenant, ids in theirs.items():
        await forget_stored(database, tenant, batches_of=ids)
