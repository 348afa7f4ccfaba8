"""A way to sign in that is removed takes its sessions with it, at every worker; so does a user who is disabled."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import select

from gateway.errors import AuthenticationFailed, PermissionDenied
from gateway.identity.devices import Devices
from gateway.identity.people import SignedIn
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.identity_tables import audit_log, identities, users
from gateway.store.users import disable_user

from .workers import ADMIN, ANN, BOB, BROWSER, Worker, sqlite_only, worker


async def _out(there: Worker, signed_in: SignedIn) -> None:
    """Wait until a worker that had seen a session finds out by itself that it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            await there.who(signed_in.access)
        except AuthenticationFailed:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the session goes on")


async def test_a_removed_way_ends_what_came_from_it_and_nothing_else(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        bob = await here.sign_in(BOB)
        user, actor = bob.session.user, Actor(kind="user", id=bob.session.user)
        added = await here.sessions.add_identity(user, ANN, actor=actor)
        first, second = await here.sign_in(ANN), await there.sign_in(ANN)
        for signed_in in (bob, first, second):
            await there.who(signed_in.access)
        await here.sessions.remove_identity(user, added.id, actor=actor)
        with pytest.raises(AuthenticationFailed):
            await here.who(first.access)
        await _out(there, first)
        await _out(there, second)
        with pytest.raises(AuthenticationFailed):
            await there.sessions.refresh(second.refresh, client=BROWSER)
        assert (await there.who(bob.access)).user == user
        assert (await here.sign_in(ANN)).session.user != user, "it is nobody's any more"
        async with database.connect() as connection:
            query = select(audit_log.c.action, audit_log.c.object).order_by(audit_log.c.position)
            told = [(row.action, row.object) for row in await connection.execute(query)]
        at = told.index(("identity.remove", added.id))
        ended = {ended for action, ended in told[at:] if action == "session.revoke"}
        assert ended == {first.session.id, second.session.id}


async def test_a_disabled_users_sessions_end_for_good(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        bob, ann = await here.sign_in(BOB), await here.sign_in(ANN)
        for signed_in in (bob, ann):
            await there.who(signed_in.access)
        await disable_user(database, bob.session.user, disabled=True, actor=ADMIN)
        await _out(there, bob)
        await disable_user(database, bob.session.user, disabled=False, actor=ADMIN)
        await there.changes.look()
        with pytest.raises(AuthenticationFailed):
            await there.who(bob.access)
        with pytest.raises(AuthenticationFailed):
            await there.sessions.refresh(bob.refresh, client=BROWSER)
        assert (await there.who(ann.access)).user == ann.session.user
        assert (await here.sign_in(BOB)).session.user == bob.session.user


@sqlite_only
async def test_a_device_comes_from_where_its_approval_came_from(database: Database) -> None:
    async with worker(database) as here:
        bob = await here.sign_in(BOB)
        user, actor = bob.session.user, Actor(kind="user", id=bob.session.user)
        added = await here.sessions.add_identity(user, ANN, actor=actor)
        ann = await here.sign_in(ANN)
        devices = Devices(database, here.sessions)

        async def approved() -> str:
            codes = await devices.begin(BROWSER)
            assert await devices.decide(codes.user_code, user=user, session=ann.session.id)
            return codes.device_code

        terminal = await devices.collect(await approved(), client=BROWSER)
        assert isinstance(terminal, SignedIn)
        late = await approved()
        await here.sessions.remove_identity(user, added.id, actor=actor)
        with pytest.raises(AuthenticationFailed):
            await here.who(terminal.access)
        with pytest.raises(PermissionDenied) as refused:
            await devices.collect(late, client=BROWSER)
        assert refused.value.code == "session_ended"
        await here.who(bob.access)


async def test_a_newcomer_and_a_link_at_once_leave_one_owner_of_the_way(
    database: Database, database_url: str
) -> None:
    """Somebody signs up with a DID at the moment when somebody else adds it to an account of theirs."""
    other = Database(database_url)
    async with worker(database) as here, worker(other) as there:
        user = (await here.sign_in(BOB)).session.user
        actor = Actor(kind="user", id=user)
        results = await asyncio.gather(
            *(one.sign_in(ANN) for one in (here, there) * 2),
            there.sessions.add_identity(user, ANN, actor=actor),
            return_exceptions=True,
        )
        opened = [result for result in results if isinstance(result, SignedIn)]
        assert len(opened) == 4, results
        assert len({signed_in.session.user for signed_in in opened}) == 1
    async with database.connect() as connection:
        owned = (await connection.execute(select(identities.c.user))).scalars().all()
        known = (await connection.execute(select(users.c.id))).scalars().all()
    await other.close()
    assert len(owned) == 2
    assert set(owned) == set(known), "nobody is without a way to sign in"
