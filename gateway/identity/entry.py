"""How somebody comes in: as a user that is known, with an invitation, or as the rules of the gateway allow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy.exc import IntegrityError

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.store import invitations, memberships, tenants, users
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.identities import REVISION, Identity, find_identity, insert_identity
from gateway.store.random_ids import new_id

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.identity.people import Client, Proof, Rules
    from gateway.store import Database

_MAX_SUBJECT, _MAX_LABEL = 500, 200


class Entry(Struct, frozen=True):
    """Who came in."""

    user: str
    identity: str
    tenant: str | None
    """The one that an invitation has just led to."""


async def enter(
    database: Database, proof: Proof, rules: Rules, *, client: Client, invitation: str | None
) -> Entry:
    """Find the user that a proof is of, or make a new one when it is nobody's yet; accept the invitation.

    Raises `PermissionDenied` when nobody is invited, or the invitation does not hold.
    """
    known = await _find(database, proof)
    if known is None:
        try:
            return await _newcomer(database, proof, rules, client=client, invitation=invitation)
        except IntegrityError:  # meanwhile it became a way of a user who was signed in
            if (known := await _find(database, proof)) is None:
                raise
            return Entry(known.user, known.id, None)
    tenant = None
    if invitation is not None:
        tenant = await accept_invitation(database, known.user, invitation, client=client)
    return Entry(known.user, known.id, tenant)


async def accept_invitation(database: Database, user: str, token: str, *, client: Client) -> str:
    """Make a user a member of the tenant that invites, and return the tenant. A member's role stays as it is.

    Raises `PermissionDenied` for an invitation that does not hold, or is somebody else's.
    """
    async with database.begin() as connection:
        revision = await bump(connection, memberships.REVISION)
        person = await users.present_user(connection, user)
        email = person.email if person.email_verified else None
        invited = await invitations.accept(connection, token, user, verified_email=email)
        if not await memberships.is_member(connection, invited.tenant, user):
            await memberships.add_member(connection, invited.tenant, user, invited.role, revision=revision)
        await record(
            connection,
            Actor(kind="user", id=user, address=client.address),
            "invitation.accept",
            invited.id,
            tenant=invited.tenant,
            after={"role": invited.role},
        )
    return invited.tenant


def identity_of(user: str, proof: Proof) -> Identity:
    """A new identity of a user's. Raises `InvalidRequest` for a subject that cannot be stored."""
    if not (0 < len(proof.subject) <= _MAX_SUBJECT and proof.subject.isprintable()):
        raise InvalidRequest(f"The subject of a way to sign in is 1 to {_MAX_SUBJECT} printable characters.")
    return Identity(
        id=new_id("idn_"),
        user=user,
        kind=proof.kind,
        subject=proof.subject,
        label=printable(proof.label, _MAX_LABEL) or proof.kind,
        data=proof.data,
        created_at=time.time(),
        last_used_at=None,
    )


def printable(text: str | None, longest: int) -> str | None:
    """What others said of themselves, fit to be stored and shown; None for nothing."""
    return "".join(filter(str.isprintable, text or "")).strip()[:longest] or None


async def _find(database: Database, proof: Proof) -> Identity | None:
    async with database.connect() as connection:
        return await find_identity(connection, proof.kind, proof.subject)


async def _newcomer(
    database: Database, proof: Proof, rules: Rules, *, client: Client, invitation: str | None
) -> Entry:
    async with database.begin() as connection:
        revision = await bump(connection, memberships.REVISION)
        known = await find_identity(connection, proof.kind, proof.subject)
        if known is not None:  # another worker was first
            return Entry(known.user, known.id, None)
        user = await users.create_user(
            connection,
            name=proof.name or proof.label,
            email=proof.email,
            email_verified=proof.email_verified,
            locale=proof.locale,
            revision=await bump(connection, users.REVISION),
        )
        email = user.email if user.email_verified else None
        tenant, role = await _place(connection, user, email, rules, invitation)
        await bump(connection, REVISION)
        identity = identity_of(user.id, proof)
        await insert_identity(connection, identity)
        await memberships.add_member(connection, tenant, user.id, role, revision=revision)
        await record(
            connection,
            Actor(kind="user", id=user.id, address=client.address),
            "user.create",
            user.id,
            tenant=tenant,
            after={"identity": identity.id, "kind": proof.kind, "role": role},
        )
    return Entry(user.id, identity.id, tenant)


async def _place(
    connection: AsyncConnection, user: users.User, email: str | None, rules: Rules, invitation: str | None
) -> tuple[str, str]:
    """Where a new user becomes a member, and as what."""
    if invitation is not None:
        invited = await invitations.accept(connection, invitation, user.id, verified_email=email)
        return invited.tenant, invited.role
    if rules.sign_up == "open":
        revision = await bump(connection, tenants.REVISION)
        await tenants.ensure_tenant(connection, rules.sign_up_tenant, revision=revision)
        return rules.sign_up_tenant, rules.sign_up_role
    if rules.sign_up == "personal":
        tenant, revision = new_id("ten_"), await bump(connection, tenants.REVISION)
        settings = tenants.TenantSettings(name=user.name)
        await tenants.insert_tenant(connection, tenant, settings, revision=revision)
        return tenant, memberships.OWNER
    raise PermissionDenied(
        "You have no account here yet. Ask for an invitation, and sign in through its link.",
        code="not_invited",
    )
