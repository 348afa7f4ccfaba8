"""The ways in which a user signs in: more of them, or one less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidRequest
from gateway.identity.entry import identity_of
from gateway.store.audit import Actor, record
from gateway.store.identities import (
    Identity,
    count_identities,
    delete_identity,
    find_identity,
    insert_identity,
    lock_identities,
)

if TYPE_CHECKING:
    from gateway.identity.people import Proof
    from gateway.store import Database


async def find(database: Database, kind: str, subject: str) -> Identity | None:
    """The identity with that subject, whoever it belongs to."""
    async with database.connect() as connection:
        return await find_identity(connection, kind, subject)


async def add(database: Database, user: str, proof: Proof, actor: Actor) -> Identity:
    """Give a user another identity. Raises `InvalidRequest` (409) when it is somebody's already."""
    identity = identity_of(user, proof)
    try:
        async with database.begin() as connection:
            await insert_identity(connection, identity)
            after = {"kind": identity.kind}
            await record(connection, actor, "identity.add", identity.id, tenant="", after=after)
    except IntegrityError as error:
        raise InvalidRequest(
            "This way to sign in belongs to an account already.", status=409, code="identity_taken"
        ) from error
    return identity


async def remove(database: Database, user: str, identity: str, actor: Actor) -> None:
    """Take an identity away. Raises `InvalidRequest`: 404, 409 for the last one."""
    async with database.begin() as connection:
        await lock_identities(connection, user)
        removed = await delete_identity(connection, user, identity)
        if removed is None:
            raise InvalidRequest(
                f"You have no way to sign in with the id {identity!r}.", status=404, code="not_found"
            )
        if not await count_identities(connection, user):
            raise InvalidRequest(
                "This is your last way to sign in. Add another one first.", status=409, code="last_identity"
            )
        before = {"kind": removed.kind}
        await record(connection, actor, "identity.remove", identity, tenant="", before=before)
