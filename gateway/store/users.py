"""Users: people, each known once however many tenants they work in. What a tenant sees of them goes through memberships."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import func, insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.checks import check_name
from gateway.store.identity_tables import users
from gateway.store.memberships import REVISION as MEMBERSHIPS
from gateway.store.memberships import keep_owners
from gateway.store.random_ids import new_id
from gateway.store.searching import contains
from gateway.store.sessions import REVISION as SESSIONS
from gateway.store.sessions import end_sessions
from gateway.store.structs import many, one, page

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "users"
MAX_NAME = 200
_MAX_EMAIL = 320


class User(Struct, frozen=True, kw_only=True):
    """A row of `users`. Times are Unix seconds."""

    id: str
    name: str
    email: str | None
    email_verified: bool
    locale: str | None
    created_at: float
    updated_at: float
    disabled_at: float | None
    erased_at: float | None
    revision: int

    @property
    def state(self) -> str:
        """`active`, `disabled` or `erased`."""
        if self.erased_at is not None:
            return "erased"
        return "active" if self.disabled_at is None else "disabled"


async def create_user(
    connection: AsyncConnection,
    *,
    name: str,
    email: str | None = None,
    email_verified: bool = False,
    locale: str | None = None,
    revision: int,
) -> User:
    """Create a user within a transaction that has bumped `users`, and that writes to the audit log itself.

    What a sign-in tells is cut to fit; an e-mail address that is none is left out.
    """
    now = time.time()
    shown = "".join(c for c in name if c.isprintable()).strip()[:MAX_NAME]
    row = User(
        id=new_id("usr_"),
        name=shown or "Somebody",
        email=email if email is not None and _is_email(email) else None,
        email_verified=email_verified and email is not None and _is_email(email),
        locale=None if locale is None else locale[:20],
        created_at=now,
        updated_at=now,
        disabled_at=None,
        erased_at=None,
        revision=revision,
    )
    await connection.execute(insert(users).values(asdict(row)))
    return row


async def count_users(connection: AsyncConnection) -> int:
    """How many users there are, erased ones too."""
    return await connection.scalar(select(func.count()).select_from(users)) or 0


async def get_user(database: Database, user: str) -> User | None:
    """The user of that id, whatever tenants they are in. For the operator, and for a user's own session."""
    async with database.connect() as connection:
        return await one(connection, select(users).where(users.c.id == user), User)


async def find_user(database: Database, reference: str) -> User:
    """The user with that id, or that e-mail address. For the operator. Raises `InvalidRequest` (404, 409)."""
    query = select(users).where((users.c.id == reference) | (func.lower(users.c.email) == reference.lower()))
    async with database.connect() as connection:
        found = await many(connection, query, User)
    if not found:
        raise InvalidRequest(
            f"No user has the id or the e-mail address {reference!r}.", status=404, code="not_found"
        )
    if len(found) > 1:
        ids = ", ".join(user.id for user in found)
        raise InvalidRequest(
            f"{reference!r} is the address of several users: {ids}.", status=409, code="conflict"
        )
    return found[0]


async def list_users(
    database: Database, *, after: str | None = None, limit: int | None = None, search: str | None = None
) -> list[User]:
    """All users, or those in whose id, name or e-mail address `search` is, by id; for the operator.

    `after` is the last id of the page before.
    """
    query = select(users)
    if search is not None:
        query = query.where(contains(search, users.c.id, users.c.name, users.c.email))
    return await page(database, query, users.c.id, User, after=after, limit=limit)


async def rename_user(database: Database, user: str, name: str, *, actor: Actor) -> User:
    """Change a user's name. The audit log says that it changed, and neither name: a user may be erased later.

    Raises `InvalidRequest` (404).
    """
    check_name("name of a user", name, MAX_NAME, param="name")
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        await present_user(connection, user)
        await write_user(connection, user, revision, name=name)
        await record(connection, actor, "user.rename", user, tenant="")
        return await present_user(connection, user)


async def disable_user(database: Database, user: str, *, disabled: bool, actor: Actor) -> User:
    """Let a user sign in no more, anywhere, or let them again: their sessions end, and stay ended. For the operator.

    Raises `InvalidRequest`: 404, and 409 when a tenant would have no owner left.
    """
    async with database.begin() as connection:
        await bump(connection, MEMBERSHIPS)
        revision = await bump(connection, REVISION)
        before = await present_user(connection, user)
        if disabled:
            await keep_owners(connection, user)
        if disabled == (before.disabled_at is None):
            await write_user(connection, user, revision, disabled_at=time.time() if disabled else None)
        await record(connection, actor, "user.disable" if disabled else "user.enable", user, tenant="")
        if disabled:
            await end_sessions(connection, user, now=time.time(), revision=await bump(connection, SESSIONS))
        return await present_user(connection, user)


async def present_user(connection: AsyncConnection, user: str) -> User:
    """The user, if not erased. Raises `InvalidRequest` (404)."""
    found = await one(connection, select(users).where(users.c.id == user, users.c.erased_at.is_(None)), User)
    if found is None:
        raise InvalidRequest(f"There is no user {user!r}.", status=404, code="not_found")
    return found


async def write_user(connection: AsyncConnection, user: str, revision: int, **values: object) -> None:
    """Change columns of a user within a transaction that has bumped `users`."""
    changed = {**values, "updated_at": time.time(), "revision": revision}
    await connection.execute(update(users).where(users.c.id == user).values(**changed))


def _is_email(value: str) -> bool:
    name, at, host = value.rpartition("@")
    return (
        bool(name and at and host) and len(value) <= _MAX_EMAIL and value.isprintable() and " " not in value
    )
