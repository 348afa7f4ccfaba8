"""The first owner of a gateway, and links that sign somebody in once. There is no default password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.store import memberships, tenants, users
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.users import User

PURPOSE: Final = "sign-in-link"
"""Of the tickets: their data is `{"user": ID}`."""

PATH: Final = "/sign-in/link"
LINK_SECONDS: Final = 3600.0

_ACTOR: Final = Actor(kind="gateway", id="start")


async def ensure_owner(database: Database, operator_tenant: str) -> User | None:
    """Create the first user, who owns the operator's tenant; None when there is a user already.

    However many processes start at once, one of them creates it.
    """
    async with database.connect() as connection:
        if await users.count_users(connection):
            return None
    async with database.begin() as connection:
        joined = await bump(connection, memberships.REVISION)
        revision = await bump(connection, users.REVISION)
        if await users.count_users(connection):
            return None
        owner = await users.create_user(connection, name="Owner", revision=revision)
        await tenants.ensure_tenant(
            connection, operator_tenant, revision=await bump(connection, tenants.REVISION)
        )
        await memberships.add_member(
            connection, operator_tenant, owner.id, memberships.OWNER, revision=joined
        )
        after = {"role": memberships.OWNER}
        await record(connection, _ACTOR, "user.create", owner.id, tenant=operator_tenant, after=after)
    return owner


async def first_owner(database: Database, operator_tenant: str) -> str | None:
    """The owner of the operator's tenant who has been it for longest; None when there is none."""
    members = await memberships.list_members(database, operator_tenant)
    owners = [m for m in members if m.role == memberships.OWNER and m.disabled_at is None]
    return min(owners, key=lambda member: member.created_at).user if owners else None


async def sign_in_link(database: Database, user: str, *, base_url: str, actor: Actor = _ACTOR) -> str:
    """Make a link that signs a user in, once, within an hour. Raises `InvalidRequest` (404) without that user."""
    async with database.begin() as connection:
        await users.present_user(connection, user)
        await record(connection, actor, "user.link", user, tenant="")
    token = await Tickets(database, PURPOSE).issue({"user": user}, seconds=LINK_SECONDS)
    return f"{base_url}{PATH}?token={token}"
