"""The audit log: who did what to which object. Entries are only ever added, and each holds the hash of the one before."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from sqlalchemy import insert, select

from gateway.store.changes import bump
from gateway.store.identity_tables import audit_log

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ActorKind: TypeAlias = Literal["user", "key", "component", "command", "gateway"]

GENESIS = bytes(32)
"""What the first entry holds as the hash before it."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who does something that is written to the audit log."""

    kind: ActorKind
    id: str
    """Of the user, key or component; the login of who runs a command; a part of the gateway."""
    request_id: str | None = None
    address: str | None = None
    """The client's."""


async def record(
    connection: AsyncConnection,
    actor: Actor,
    action: str,
    object: str,
    *,
    tenant: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry within the transaction that makes the change, last of all.

    `action` is `noun.verb`, as `key.revoke`; `object` the id of what it was done to; `tenant` is '' for what concerns
    the whole gateway. `before` and `after` are plain JSON and hold no secret.
    """
    position = await bump(connection, "audit_log")
    statement = select(audit_log.c.hash).where(audit_log.c.position == position - 1)
    previous = (await connection.execute(statement)).scalar_one_or_none() or GENESIS
    entry = {
        "position": position,
        "at": time.time(),
        "tenant": tenant,
        "actor_kind": actor.kind,
        "actor": actor.id,
        "action": action,
        "object": object,
        "before": None if before is None else dict(before),
        "after": None if after is None else dict(after),
        "request_id": actor.request_id,
        "address": actor.address,
    }
    digest = hash_of(entry, previous)
    await connection.execute(insert(audit_log).values(**entry, previous=previous, hash=digest))


def hash_of(entry: Mapping[str, Any], previous: bytes) -> bytes:
    """SHA-256 over the hash before and the entry as JSON with sorted keys."""
    return hashlib.sha256(previous + msgspec.json.encode(entry, order="deterministic")).digest()
