"""Invitations: who opens the link becomes a member, once. Only a digest of the token in it is stored."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import insert, select, update

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.identity_tables import invitations
from gateway.store.random_ids import new_id, new_secret
from gateway.store.structs import of_tenant, one, page

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "invitations"
PREFIX = "gi_"
"""Every token of an invitation begins with it."""

DAYS = 7
"""How long an invitation is good, unless said otherwise."""

_MAX_EMAIL = 320


class Invitation(Struct, frozen=True, kw_only=True):
    """A row of `invitations`. Times are Unix seconds."""

    tenant: str
    id: str
    email: str | None
    """Only who has proved to have this address may accept it."""
    role: str
    created_by: str | None
    created_at: float
    expires_at: float
    accepted_at: float | None
    accepted_by: str | None
    revoked_at: float | None
    revision: int

    def state(self, now: float) -> str:
        """`open`, `accepted`, `revoked` or `expired` at that moment."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "open" if self.expires_at > now else "expired"


async def invite(
    database: Database,
    tenant: str,
    role: str,
    *,
    email: str | None = None,
    days: float = DAYS,
    actor: Actor,
) -> tuple[Invitation, str]:
    """Invite somebody. Return the invitation and its token, which nothing can show again.

    Raises `InvalidRequest` for an e-mail address that is none.
    """
    if email is not None and ("@" not in email or len(email) > _MAX_EMAIL or not email.isprintable()):
        raise InvalidRequest("This is no e-mail address.", param="email")
    if days <= 0:
        raise InvalidRequest("An invitation is good for more than 0 days.", param="days")
    token = new_secret(PREFIX)
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        row = Invitation(
            tenant=tenant,
            id=new_id("inv_"),
            email=email,
            role=role,
            created_by=actor.id,
            created_at=now,
            expires_at=now + days * 86_400,
            accepted_at=None,
            accepted_by=None,
            revoked_at=None,
            revision=revision,
        )
        values: dict[str, Any] = asdict(row)
        await connection.execute(insert(invitations).values(**values, digest=_digest(token)))
        after = {"role": role, "for_an_address": email is not None}  # not which: it may have to be forgotten
        await record(connection, actor, "invitation.create", row.id, tenant=tenant, after=after)
    return row, token


def link_of(public_url: str, token: str) -> str:
    """The link by which an invitation is accepted."""
    return f"{public_url}/sign-in?invitation={token}"


async def look(database: Database, token: str) -> Invitation | None:
    """The open invitation of a token, to show what is offered; None when it is none, or no longer."""
    async with database.connect() as connection:
        return await _open(connection, token)


async def accept(
    connection: AsyncConnection, token: str, user: str, *, verified_email: str | None
) -> Invitation:
    """Use an invitation up, within a transaction that has bumped `memberships` and then calls `add_member`.

    `verified_email` is the address that the user has proved to have. Writes no entry to the audit log: who signs the
    user in does. Raises `PermissionDenied` when the invitation is not good, or for another address.
    """
    revision = await bump(connection, REVISION)
    found = await _open(connection, token)
    if found is None:
        raise PermissionDenied(
            "This invitation was used, revoked, or has expired. Ask for a new one.", code="invitation_invalid"
        )
    if found.email is not None and (verified_email or "").lower() != found.email.lower():
        raise PermissionDenied(
            "This invitation is for another e-mail address: sign in with an account that has proved to have it.",
            code="invitation_for_another",
        )
    await connection.execute(
        update(invitations)
        .where(invitations.c.tenant == found.tenant, invitations.c.id == found.id)
        .values(accepted_at=time.time(), accepted_by=user, revision=revision)
    )
    return found


async def get_invitation(database: Database, tenant: str, id: str) -> Invitation:
    """An invitation of the tenant. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant, id)


async def list_invitations(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[Invitation]:
    """The invitations of a tenant by id, whatever became of them; `after` is the last id of the page before."""
    query = select(invitations).where(invitations.c.tenant == tenant)
    return await page(database, query, invitations.c.id, Invitation, after=after, limit=limit)


async def revoke_invitation(
    database: Database, tenant: str, id: str, *, actor: Actor, expected: Expected = None
) -> Invitation:
    """Take an open invitation back. Raises `InvalidRequest` (404, 409 when it is not open any more, 412)."""
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant, id)
        check_expected(expected, before.revision)
        if (state := before.state(now)) != "open":
            raise InvalidRequest(f"The invitation {id} is {state}.", status=409, code="conflict")
        await connection.execute(
            update(invitations)
            .where(invitations.c.tenant == tenant, invitations.c.id == id)
            .values(revoked_at=now, revision=revision)
        )
        await record(connection, actor, "invitation.revoke", id, tenant=tenant)
        return await _present(connection, tenant, id)


async def _open(connection: AsyncConnection, token: str) -> Invitation | None:
    query = select(invitations).where(invitations.c.digest == _digest(token))
    found = await one(connection, query, Invitation)
    return found if found is not None and found.state(time.time()) == "open" else None


async def _present(connection: AsyncConnection, tenant: str, id: str) -> Invitation:
    return await of_tenant(connection, invitations, tenant, id, Invitation, "invitation")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
