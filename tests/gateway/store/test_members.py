"""Members, roles, teams, service accounts, invitations: each seen by its own tenant alone."""

import asyncio
import time

import pytest
from sqlalchemy import update

from gateway.errors import GatewayError, InvalidRequest, PermissionDenied
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.changes import bump
from gateway.store.identity_tables import invitations as invitation_rows
from gateway.store.invitations import accept, get_invitation, invite, look, revoke_invitation
from gateway.store.memberships import (
    Member,
    add_member,
    change_member,
    get_member,
    list_members,
    remove_member,
    roles_of,
)
from gateway.store.roles import create_role, custom_roles, delete_role
from gateway.store.service_accounts import create_service_account, delete_service_account, get_service_account
from gateway.store.teams import add_to_team, create_team, get_team, team_users
from gateway.store.users import create_user, disable_user, find_user, get_user

ACTOR = Actor(kind="command", id="root")


def anybody(_member: Member) -> None:
    """The actor may do it."""


async def join(database: Database, name: str, **roles: str) -> str:
    """A new user with these roles by tenant."""
    async with database.begin() as connection:
        joined = await bump(connection, "memberships")
        user = await create_user(
            connection, name=name, email=f"{name}@a.example", revision=await bump(connection, "users")
        )
        for tenant, role in roles.items():
            await add_member(connection, tenant, user.id, role, revision=joined)
    return user.id


async def test_a_user_may_be_in_many_tenants(sqlite: Database):
    ann = await join(sqlite, "ann", acme="owner", globex="viewer")
    bob = await join(sqlite, "bob", globex="owner")
    async with sqlite.connect() as connection:
        assert dict(await roles_of(connection, ann)) == {"acme": "owner", "globex": "viewer"}
    assert [member.user for member in await list_members(sqlite, "acme")] == [ann]
    assert {member.user for member in await list_members(sqlite, "globex")} == {ann, bob}
    with pytest.raises(InvalidRequest) as unseen:
        await get_member(sqlite, "acme", bob)
    assert unseen.value.status == 404
    assert (await find_user(sqlite, "BOB@a.example")).id == bob


async def test_the_last_owner_stays(sqlite: Database):
    ann = await join(sqlite, "ann", acme="owner")
    bob = await join(sqlite, "bob", acme="owner")
    await disable_user(sqlite, bob, disabled=True, actor=ACTOR)  # cannot sign in: is no owner to count on
    for attempt in (
        change_member(sqlite, "acme", ann, "admin", may=anybody, actor=ACTOR),
        remove_member(sqlite, "acme", ann, may=anybody, actor=ACTOR),
        disable_user(sqlite, ann, disabled=True, actor=ACTOR),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await attempt
        assert refused.value.code == "last_owner"
    await disable_user(sqlite, bob, disabled=False, actor=ACTOR)
    assert (await change_member(sqlite, "acme", ann, "admin", may=anybody, actor=ACTOR)).role == "admin"


async def test_two_owners_cannot_both_leave_at_once(database: Database):
    owners = [await join(database, name, acme="owner") for name in ("ann", "bob")]
    results = await asyncio.gather(
        *(remove_member(database, "acme", user, may=anybody, actor=ACTOR) for user in owners),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(InvalidRequest) == 1
    assert len(await list_members(database, "acme")) == 1


async def test_a_role_that_somebody_has_stays(sqlite: Database):
    await create_role(sqlite, "acme", "auditor", permissions=["audit.read"], actor=ACTOR)
    ann = await join(sqlite, "ann", acme="auditor")
    with pytest.raises(InvalidRequest, match="while a member has it"):
        await delete_role(sqlite, "acme", "auditor", actor=ACTOR)
    await change_member(sqlite, "acme", ann, "viewer", may=anybody, actor=ACTOR)
    invited, _ = await invite(sqlite, "acme", "auditor", actor=ACTOR)
    with pytest.raises(InvalidRequest, match="while an invitation has it"):
        await delete_role(sqlite, "acme", "auditor", actor=ACTOR)
    await revoke_invitation(sqlite, "acme", invited.id, actor=ACTOR)
    await delete_role(sqlite, "acme", "auditor", actor=ACTOR)
    assert await custom_roles(sqlite, "acme") == []


async def test_teams_hold_members_of_their_tenant_alone(sqlite: Database):
    ann, bob = await join(sqlite, "ann", acme="owner"), await join(sqlite, "bob", globex="owner")
    team = await create_team(sqlite, "acme", "Research", actor=ACTOR)
    await add_to_team(sqlite, "acme", team.id, ann, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="no member"):
        await add_to_team(sqlite, "acme", team.id, bob, actor=ACTOR)
    with pytest.raises(InvalidRequest, match="no team"):
        await get_team(sqlite, "globex", team.id)
    assert await team_users(sqlite, "acme", team.id) == [ann]
    await join(sqlite, "eve", acme="owner")
    await remove_member(sqlite, "acme", ann, may=anybody, actor=ACTOR)
    assert await team_users(sqlite, "acme", team.id) == []


async def test_service_accounts_are_of_one_tenant(sqlite: Database):
    made = await create_service_account(sqlite, "acme", "CI", "member", actor=ACTOR)
    with pytest.raises(InvalidRequest):
        await get_service_account(sqlite, "globex", made.id)
    with pytest.raises(InvalidRequest):
        await delete_service_account(sqlite, "globex", made.id, may=lambda _: None, actor=ACTOR)
    await delete_service_account(sqlite, "acme", made.id, may=lambda _: None, actor=ACTOR)
    with pytest.raises(InvalidRequest):
        await get_service_account(sqlite, "acme", made.id)


async def use(sqlite: Database, token: str, user: str, email: str | None = None) -> str:
    async with sqlite.begin() as connection:
        joined = await bump(connection, "memberships")
        invited = await accept(connection, token, user, verified_email=email)
        await add_member(connection, invited.tenant, user, invited.role, revision=joined)
    return invited.tenant


async def test_an_invitation_is_good_once(database: Database):
    row, token = await invite(database, "acme", "member", actor=ACTOR)
    people = [await join(database, name) for name in ("ann", "bob", "eve")]
    results = await asyncio.gather(*(use(database, token, user) for user in people), return_exceptions=True)
    assert results.count("acme") == 1
    assert sum(isinstance(result, PermissionDenied) for result in results) == 2
    assert len(await list_members(database, "acme")) == 1
    accepted = await get_invitation(database, "acme", row.id)
    assert accepted.state(time.time()) == "accepted"
    assert accepted.accepted_by in people


async def test_an_invitation_for_an_address_is_for_no_other(sqlite: Database):
    _, token = await invite(sqlite, "acme", "member", email="Ann@a.example", actor=ACTOR)
    user = await join(sqlite, "ann")
    for email in (None, "bob@a.example"):
        with pytest.raises(PermissionDenied) as refused:
            await use(sqlite, token, user, email)
        assert refused.value.code == "invitation_for_another"
    assert await use(sqlite, token, user, "ann@A.example") == "acme"


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_an_invitation_ends(sqlite: Database, end: str):
    row, token = await invite(sqlite, "acme", "member", actor=ACTOR)
    assert await look(sqlite, token) == row
    if end == "revoked":
        await revoke_invitation(sqlite, "acme", row.id, actor=ACTOR)
    else:
        async with sqlite.begin() as connection:
            await connection.execute(update(invitation_rows).values(expires_at=time.time() - 1))
    assert await look(sqlite, token) is None
    with pytest.raises(GatewayError):
        await use(sqlite, token, await join(sqlite, "ann"))
    with pytest.raises(InvalidRequest) as late:
        await revoke_invitation(sqlite, "acme", row.id, actor=ACTOR)
    assert late.value.status == 409


async def test_what_a_sign_in_tells_of_somebody_is_made_to_fit(sqlite: Database):
    async with sqlite.begin() as connection:
        user = await create_user(
            connection, name="A\nnn" + "n" * 300, email="not an address", email_verified=True, revision=1
        )
    found = await get_user(sqlite, user.id)
    assert found == user
    assert len(user.name) == 200
    assert user.name.isprintable()
    assert (user.email, user.email_verified) == (None, False)
