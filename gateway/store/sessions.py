"""Sessions in the database: opened, given new tokens, ended. Only digests of tokens are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import bindparam, delete, insert, or_, select, tuple_, update

from gateway.store.identity_tables import memberships, roles, sessions, users
from gateway.store.structs import many, one, struct_of

if TYPE_CHECKING:
    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "sessions"

_KEEP_SECONDS = 30 * 86400
"""How long a session that has ended stays to be looked at."""


class Session(Struct, frozen=True, kw_only=True):
    """A session of a user's. Times are Unix seconds."""

    id: str
    user: str
    tenant: str
    """For whom it acts at present."""
    identity: str | None
    """The one that it came from, of a device that of whoever let it in; None for a link."""
    method: str
    """How it was signed in: link, oidc, passkey, siwe, did-key, did-connect, device."""
    created_at: float
    last_seen_at: float
    access_expires_at: float
    expires_at: float
    revoked_at: float | None
    address: str | None
    agent: str | None


class Digests(Struct, frozen=True, kw_only=True):
    """What is stored of a session's tokens: SHA-256 digests, and what the last refresh made them with."""

    access: bytes
    refresh: bytes
    spent: bytes | None
    """Of the refresh token before."""
    family: bytes
    salt: bytes
    refreshed_at: float


class Standing(Struct, frozen=True, kw_only=True):
    """A session with what its user may do in its tenant."""

    session: Session
    digests: Digests
    csrf: str
    enabled: bool
    """Whether the user may sign in at all."""
    role: str | None
    """None when the user is no member of the tenant any more."""
    permissions: frozenset[str] | None
    """Of a role of the tenant's own."""


async def insert_session(
    connection: AsyncConnection, session: Session, digests: Digests, *, csrf: str, revision: int
) -> None:
    """Add a session, and forget those of its user that ended long ago."""
    old = session.created_at - _KEEP_SECONDS
    ended = or_(sessions.c.expires_at < old, sessions.c.revoked_at < old)
    await connection.execute(delete(sessions).where(sessions.c.user == session.user, ended))
    await connection.execute(
        insert(sessions).values(**_values(session, digests), csrf=csrf, revision=revision)
    )


async def with_access(database: Database, digest: bytes) -> Standing | None:
    """The session with that access token, whether it still holds or not."""
    async with database.connect() as connection:
        statement = _standing().where(sessions.c.access_digest == digest)
        row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _standing_of(row)


async def with_family(connection: AsyncConnection, digest: bytes) -> Standing | None:
    """The session with that family of refresh tokens, whether it still holds or not."""
    statement = _standing().where(sessions.c.family_digest == digest)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _standing_of(row)


async def get_session(connection: AsyncConnection, session: str, *, user: str) -> Session | None:
    """A user's session by its id."""
    statement = select(sessions).where(sessions.c.id == session, sessions.c.user == user)
    return await one(connection, statement, Session)


async def active_sessions(database: Database, user: str, *, now: float) -> list[Session]:
    """The user's sessions that have not ended, newest first."""
    statement = (
        select(sessions)
        .where(sessions.c.user == user, sessions.c.revoked_at.is_(None), sessions.c.expires_at > now)
        .order_by(sessions.c.created_at.desc(), sessions.c.id)
    )
    async with database.connect() as connection:
        return await many(connection, statement, Session)


async def tenant_sessions(
    database: Database,
    tenant: str,
    *,
    now: float,
    user: str | None = None,
    after: tuple[float, str] | None = None,
    limit: int,
) -> list[Session]:
    """Sessions that act for a tenant and have not ended, oldest first; `after` is (`created_at`, `id`) of the last one."""
    query = select(sessions).where(
        sessions.c.tenant == tenant, sessions.c.revoked_at.is_(None), sessions.c.expires_at > now
    )
    if user is not None:
        query = query.where(sessions.c.user == user)
    if after is not None:
        query = query.where(tuple_(sessions.c.created_at, sessions.c.id) > after)
    async with database.connect() as connection:
        ordered = query.order_by(sessions.c.created_at, sessions.c.id).limit(limit)
        return await many(connection, ordered, Session)


async def tenant_session(database: Database, tenant: str, session: str) -> Session | None:
    """A session that acts for a tenant, whether it has ended or not."""
    query = select(sessions).where(sessions.c.tenant == tenant, sessions.c.id == session)
    async with database.connect() as connection:
        return await one(connection, query, Session)


async def is_enabled(connection: AsyncConnection, user: str) -> bool:
    """Whether the user is there, and may sign in."""
    statement = select(users.c.id).where(
        users.c.id == user, users.c.disabled_at.is_(None), users.c.erased_at.is_(None)
    )
    return await connection.scalar(statement) is not None


async def last_tenant(connection: AsyncConnection, user: str) -> str | None:
    """The tenant of the user's newest session."""
    statement = (
        select(sessions.c.tenant).where(sessions.c.user == user).order_by(sessions.c.created_at.desc())
    )
    return await connection.scalar(statement.limit(1))


async def replace_tokens(
    connection: AsyncConnection, session: Session, digests: Digests, *, revision: int
) -> None:
    """Write a session that has been refreshed."""
    statement = update(sessions).where(sessions.c.id == session.id)
    await connection.execute(statement.values(**_values(session, digests), revision=revision))


async def move_session(connection: AsyncConnection, session: str, tenant: str, *, revision: int) -> None:
    """Let a session act for another tenant."""
    statement = update(sessions).where(sessions.c.id == session)
    await connection.execute(statement.values(tenant=tenant, revision=revision))


async def end_sessions(
    connection: AsyncConnection,
    user: str,
    *,
    now: float,
    revision: int,
    only: str | None = None,
    but: str | None = None,
    identity: str | None = None,
) -> list[tuple[str, str]]:
    """End the user's sessions, or the one called `only`, or all `but` one, or those that came from an identity.

    Return id and tenant of those it ended.
    """
    statement = update(sessions).where(sessions.c.user == user, sessions.c.revoked_at.is_(None))
    if only is not None:
        statement = statement.where(sessions.c.id == only)
    if but is not None:
        statement = statement.where(sessions.c.id != but)
    if identity is not None:
        statement = statement.where(sessions.c.identity == identity)
    ended = statement.values(revoked_at=now, revision=revision).returning(sessions.c.id, sessions.c.tenant)
    return [(row.id, row.tenant) for row in await connection.execute(ended)]


async def changed_sessions(database: Database, revision: int) -> tuple[int, list[str]]:
    """The highest revision, and the ids of the sessions that changed after the given one."""
    async with database.connect() as connection:
        statement = select(sessions.c.id, sessions.c.revision).where(sessions.c.revision > revision)
        rows = (await connection.execute(statement)).all()
    return max([revision, *(row.revision for row in rows)]), [row.id for row in rows]


async def note_seen(database: Database, seen: Mapping[str, float]) -> None:
    """Write when sessions were last used, by their ids."""
    statement = (
        update(sessions).where(sessions.c.id == bindparam("session")).values(last_seen_at=bindparam("at"))
    )
    async with database.begin() as connection:
        await connection.execute(statement, [{"session": session, "at": at} for session, at in seen.items()])


def _standing() -> Any:
    member = (memberships.c.user == sessions.c.user) & (memberships.c.tenant == sessions.c.tenant)
    role = (roles.c.tenant == memberships.c.tenant) & (roles.c.name == memberships.c.role)
    joined = sessions.join(users, users.c.id == sessions.c.user).outerjoin(memberships, member)
    columns = (sessions, users.c.disabled_at, users.c.erased_at, memberships.c.role, roles.c.permissions)
    return select(*columns).select_from(joined.outerjoin(roles, role))


def _standing_of(row: RowMapping) -> Standing:
    return Standing(
        session=struct_of(row, Session),
        digests=Digests(
            access=row["access_digest"],
            refresh=row["refresh_digest"],
            spent=row["spent_digest"],
            family=row["family_digest"],
            salt=row["salt"],
            refreshed_at=row["refreshed_at"],
        ),
        csrf=row["csrf"],
        enabled=row["disabled_at"] is None and row["erased_at"] is None,
        role=row["role"],
        permissions=None if row["permissions"] is None else frozenset(row["permissions"]),
    )


def _values(session: Session, digests: Digests) -> dict[str, Any]:
    return {
        **{field: getattr(session, field) for field in session.__struct_fields__},
        "access_digest": digests.access,
        "refresh_digest": digests.refresh,
        "spent_digest": digests.spent,
        "family_digest": digests.family,
        "salt": digests.salt,
        "refreshed_at": digests.refreshed_at,
    }
