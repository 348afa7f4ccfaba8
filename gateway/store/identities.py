"""The ways in which users sign in: an account at an issuer, a DID, a passkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update

from gateway.store.identity_tables import identities
from gateway.store.structs import many, one, struct_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "identities"

IdentityKind: TypeAlias = Literal["oidc", "did", "passkey"]


class Identity(Struct, frozen=True, kw_only=True):
    """A way in which a user signs in. Times are Unix seconds."""

    id: str
    user: str
    kind: IdentityKind
    subject: str
    label: str
    data: dict[str, Any]
    created_at: float
    last_used_at: float | None


async def find_identity(connection: AsyncConnection, kind: str, subject: str) -> Identity | None:
    """The identity with that subject, whoever it belongs to."""
    statement = select(identities).where(identities.c.kind == kind, identities.c.subject == subject)
    return await one(connection, statement, Identity)


async def list_identities(database: Database, user: str) -> list[Identity]:
    """A user's identities, oldest first."""
    statement = select(identities).where(identities.c.user == user)
    async with database.connect() as connection:
        ordered = statement.order_by(identities.c.created_at, identities.c.id)
        return await many(connection, ordered, Identity)


async def count_identities(connection: AsyncConnection, user: str) -> int:
    """How many a user has."""
    statement = select(func.count()).select_from(identities).where(identities.c.user == user)
    return await connection.scalar(statement) or 0


async def insert_identity(connection: AsyncConnection, identity: Identity) -> None:
    """Add an identity. Raises SQLAlchemy's `IntegrityError` when the subject is somebody's already."""
    fields = identity.__struct_fields__
    await connection.execute(insert(identities).values({name: getattr(identity, name) for name in fields}))


async def use_identity(connection: AsyncConnection, identity: str, *, at: float) -> bool:
    """Note that somebody signed in with it. False when it has been removed."""
    statement = update(identities).where(identities.c.id == identity)
    return (await connection.execute(statement.values(last_used_at=at))).rowcount == 1


async def replace_data(database: Database, identity: str, data: dict[str, Any]) -> None:
    """Replace what its kind remembers."""
    async with database.begin() as connection:
        await connection.execute(update(identities).where(identities.c.id == identity).values(data=data))


async def delete_identity(connection: AsyncConnection, user: str, identity: str) -> Identity | None:
    """Remove a user's identity and return it; None when there is none."""
    statement = delete(identities).where(identities.c.id == identity, identities.c.user == user)
    row = (await connection.execute(statement.returning(*identities.c))).mappings().one_or_none()
    return None if row is None else struct_of(row, Identity)
