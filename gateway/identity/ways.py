"""The ways in which a user signs in: more of them, or one less."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidRequest
from gateway.identity.entry import identity_of
from gateway.store import sessions
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.identities import (
    REVISION,
    Identity,
    count_identities,
    delete_identity,
    find_identity,
    insert_identity,
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
            await bump(connection, REVISION)
            await insert_identity(connection, identity)
            after = {"kind": identity.kind}
            await record(connection, actor, "identity.add", identity.id, tenant="", after=after)
    except IntegrityError as error:
        raise InvalidRequest(
            "This way to sign in belongs to an account already. Sign in with it there, and remove it from that account "
            "before you add it here.",
            status=409,
            code="identity_taken",
        ) from error
    return identity


async def remove(database: Database, user: str, identity: str, actor: Actor) -> list[str]:
    """Take an identity away, end the sessions that came from it, and return their ids.

    Raises `InvalidRequest`: 404, 409 for the last one.
    """
    async with database.begin() as connection:
        revision = await bump(connection, sessions.REVISION)
        await bump(connection, REVISION)  # of two removals at once, the second sees what the first has left
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
        ended = await sessions.end_sessions(
            connection, user, now=time.time(), revision=revision, identity=identity
        )
        reason = {"reason": "the way to sign in was removed"}
        for session, tenant in ended:
            await record(connection, actor, "session.revoke", session, tenant=tenant, after=reason)
    return [session for session, _ in ended]
