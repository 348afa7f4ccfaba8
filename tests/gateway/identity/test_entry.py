"""Who may come in, and as what: rules, invitations, ways to sign in that are added and removed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from gateway.errors import InvalidRequest, PermissionDenied
from gateway.identity.people import Client, Proof
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.identity_tables import memberships, users
from gateway.store.invitations import invite
from gateway.store.tables import tenants
from gateway.store.tenants import create_tenant

from .workers import ADMIN, ANN, BOB, BROWSER, sqlite_only, worker


@sqlite_only
async def test_nobody_comes_in_uninvited(database: Database) -> None:
    await create_tenant(database, "acme", actor=ADMIN)
    async with worker(database, sign_up="invited") as here:
        with pytest.raises(PermissionDenied) as refused:
            await here.sign_in()
        assert refused.value.code == "not_invited"
        with pytest.raises(PermissionDenied):
            await here.sign_in(invitation="gi_made-up")
        async with database.connect() as connection:
            assert (await connection.execute(select(users))).all() == []
        _, token = await invite(database, "acme", "viewer", actor=ADMIN)
        signed_in = await here.sign_in(invitation=token)
        assert (await here.who(signed_in.access)).tenant == "acme"
        assert (await here.who(signed_in.access)).roles == {"viewer"}
        with pytest.raises(PermissionDenied):
            await here.sign_in(BOB, invitation=token)
        await here.sign_in()  # from now on without


@sqlite_only
async def test_an_invitation_may_be_for_one_address(database: Database) -> None:
    await create_tenant(database, "acme", actor=ADMIN)
    async with worker(database, sign_up="invited") as here:
        _, token = await invite(database, "acme", "member", email="Bob@Example.com", actor=ADMIN)
        for other in (ANN, Proof(kind="oidc", subject="x y", label="y", email="bob@example.com")):
            with pytest.raises(PermissionDenied):
                await here.sign_in(other, invitation=token)
        assert (await here.sign_in(BOB, invitation=token)).session.tenant == "acme"


@sqlite_only
async def test_a_signed_in_user_accepts_and_moves_between_tenants(database: Database) -> None:
    await create_tenant(database, "acme", actor=ADMIN)
    async with worker(database) as here, worker(database) as there:
        signed_in = await here.sign_in()
        session, user = signed_in.session.id, signed_in.session.user
        await there.who(signed_in.access)
        with pytest.raises(PermissionDenied):
            await here.sessions.switch_tenant(session, "acme", user=user)
        _, token = await invite(database, "acme", "admin", actor=ADMIN)
        tenant = await here.sessions.accept_invitation(session, user=user, token=token, client=BROWSER)
        assert tenant == "acme"
        await there.changes.look()
        principal = await there.who(signed_in.access)
        assert (principal.tenant, principal.roles) == ("acme", {"admin"})
        assert not principal.may("gateway.tenants"), "an admin of acme is none of the gateway's"
        assert (await here.sign_in()).session.tenant == "acme", "as the session before"
        with pytest.raises(InvalidRequest):
            await here.sessions.switch_tenant(session, "default", user="usr_somebody_else")
        await here.sessions.switch_tenant(session, "default", user=user)
        assert (await here.who(signed_in.access)).tenant == "default"


@sqlite_only
async def test_everybody_may_own_a_tenant(database: Database) -> None:
    async with worker(database, sign_up="personal") as here:
        ann, bob = await here.sign_in(ANN), await here.sign_in(BOB)
        assert ann.session.tenant != bob.session.tenant
        assert (await here.who(ann.access)).roles == {"owner"}
    async with database.connect() as connection:
        assert {row.name for row in await connection.execute(select(tenants.c.name))} == {"Ann", "Bob"}


async def test_many_first_sign_ins_at_once_make_one_user(database: Database, database_url: str) -> None:
    other = Database(database_url)  # as another process has it
    async with worker(database) as here, worker(other) as there:
        opened = await asyncio.gather(*(one.sign_in() for one in (here, there) * 3))
        assert len({signed_in.session.user for signed_in in opened}) == 1
        assert len({signed_in.session.id for signed_in in opened}) == 6
    await other.close()
    async with database.connect() as connection:
        assert len((await connection.execute(select(users))).all()) == 1
        assert len((await connection.execute(select(memberships))).all()) == 1


@sqlite_only
async def test_nothing_merges_by_itself(database: Database) -> None:
    async with worker(database) as here:
        bob = (await here.sign_in(BOB)).session.user
        same_address = Proof(
            kind="oidc",
            subject="https://other.example bob",
            label="bob",
            email=BOB.email,
            email_verified=True,
        )
        other = (await here.sign_in(same_address)).session.user
        assert other != bob
        with pytest.raises(InvalidRequest) as refused:
            await here.sessions.add_identity(bob, same_address, actor=Actor(kind="user", id=bob))
        assert refused.value.status == 409


async def test_a_user_may_have_many_ways_but_keeps_one(database: Database) -> None:
    async with worker(database, sign_up="open") as here:
        user = (await here.sign_in(BOB)).session.user
        actor = Actor(kind="user", id=user)
        added = await here.sessions.add_identity(user, ANN, actor=actor)
        assert (await here.sign_in(ANN)).session.user == user
        found = await here.sessions.identity("did", ANN.subject)
        assert found is not None
        assert (found.id, found.user) == (added.id, user)
        assert found.last_used_at is not None
        await here.sessions.update_identity(added.id, {"counter": 7})
        ways = await here.sessions.identities_of(user)
        assert [way.subject for way in ways] == [BOB.subject, ANN.subject]
        assert ways[1].data == {"counter": 7}
        with pytest.raises(InvalidRequest):
            await here.sessions.remove_identity("usr_somebody_else", added.id, actor=actor)
        results = await asyncio.gather(
            *(here.sessions.remove_identity(user, way.id, actor=actor) for way in ways),
            return_exceptions=True,
        )
        (kept,) = [result for result in results if result is not None]
        assert isinstance(kept, InvalidRequest)
        assert kept.status == 409
        assert len(await here.sessions.identities_of(user)) == 1


@sqlite_only
async def test_a_link_opens_a_session_for_whom_it_is(database: Database) -> None:
    async with worker(database) as here:
        user = (await here.sign_in()).session.user
        opened = await here.sessions.sign_in_user(user, method="link", client=Client())
        assert (opened.session.method, opened.session.identity) == ("link", None)
        with pytest.raises(PermissionDenied):
            await here.sessions.sign_in_user("usr_nobody", method="link", client=Client())
