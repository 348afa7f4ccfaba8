"""Sessions: opened, recognised, refreshed, ended; on both databases, by several workers."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import select, update

from gateway.errors import AuthenticationFailed, InvalidRequest, PermissionDenied
from gateway.identity import known as known_sessions
from gateway.identity.people import Client
from gateway.identity.permissions import ROLES
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.identity_tables import audit_log, memberships, sessions
from gateway.store.memberships import change_member
from gateway.store.users import disable_user

from .workers import ADMIN, BOB, BROWSER, sqlite_only, worker


@sqlite_only
async def test_a_session_is_known_by_its_access_token_alone(database: Database) -> None:
    async with worker(database) as here:
        signed_in = await here.sign_in()
        principal = await here.who(signed_in.access)
        assert principal.tenant == "default"
        assert (principal.user, principal.session) == (signed_in.session.user, signed_in.session.id)
        assert (principal.roles, principal.scopes) == ({"member"}, ROLES["member"])
        for wrong in (signed_in.refresh, signed_in.access[:-1], signed_in.access + "0", "gs_"):
            with pytest.raises(AuthenticationFailed):
                await here.who("gs_" + wrong.removeprefix("gs_"))
    async with database.connect() as connection:
        row = (await connection.execute(select(sessions))).one()
        log = (await connection.execute(select(audit_log.c.action).order_by(audit_log.c.position))).scalars()
        assert [*log] == ["user.create", "session.open"]
    stored = repr(tuple(row))
    assert signed_in.access not in stored
    assert signed_in.refresh[-20:] not in stored
    assert signed_in.access not in repr(signed_in)


async def test_refreshing_replaces_both_tokens_and_two_tabs_may_ask_at_once(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        first = await here.sign_in()
        await there.who(first.access)
        answers = await asyncio.gather(
            *(one.sessions.refresh(first.refresh, client=BROWSER) for one in (here, there, here))
        )
        assert len({(answer.access, answer.refresh) for answer in answers}) == 1
        second = answers[0]
        assert second.session.id == first.session.id
        assert len({first.access, second.access, first.refresh, second.refresh}) == 4
        await here.who(second.access)
        await there.changes.look()
        for one in (here, there):
            with pytest.raises(AuthenticationFailed):
                await one.who(first.access)
        await here.sessions.refresh(second.refresh, client=BROWSER)


async def test_a_refresh_token_used_twice_ends_the_session(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        stolen = current = await here.sign_in()
        for _ in range(3):
            current = await here.sessions.refresh(current.refresh, client=BROWSER)
        await there.who(current.access)
        with pytest.raises(AuthenticationFailed):
            await there.sessions.refresh(stolen.refresh, client=Client(agent="curl/8"))
        await here.changes.look()
        for one in (here, there):
            with pytest.raises(AuthenticationFailed):
                await one.who(current.access)
            with pytest.raises(AuthenticationFailed):
                await one.sessions.refresh(current.refresh, client=BROWSER)
        assert await here.sessions.sessions_of(current.session.user) == []


@sqlite_only
async def test_a_revoked_session_ends_on_every_worker(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        laptop, phone = await here.sign_in(), await here.sign_in()
        other = await here.sign_in(BOB)
        user = laptop.session.user
        for signed_in in (laptop, phone, other):
            await there.who(signed_in.access)
        actor = Actor(kind="user", id=user)
        with pytest.raises(InvalidRequest) as refused:
            await here.sessions.revoke(other.session.id, user=user, actor=actor)
        assert refused.value.status == 404
        await here.sessions.revoke(phone.session.id, user=user, actor=actor)
        await here.sessions.revoke(phone.session.id, user=user, actor=actor)  # twice is no error
        deadline = time.monotonic() + 30
        while True:
            try:
                await there.who(phone.access)
            except AuthenticationFailed:
                break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)  # the worker finds out by itself
        await there.who(laptop.access)
        await there.who(other.access)
        assert [one.id for one in await there.sessions.sessions_of(user)] == [laptop.session.id]
        tablet = await here.sign_in()
        assert await here.sessions.revoke_others(tablet.session.id, user=user, actor=actor) == 1
        assert [one.id for one in await there.sessions.sessions_of(user)] == [tablet.session.id]
        await here.who(other.access)


async def test_rights_are_those_of_the_moment(database: Database) -> None:
    async with worker(database) as here, worker(database) as there:
        signed_in = await here.sign_in()
        user = signed_in.session.user
        assert not (await there.who(signed_in.access)).may("users.manage")
        await change_member(database, "default", user, "admin", may=lambda _: None, actor=ADMIN)
        await there.changes.look()
        principal = await there.who(signed_in.access)
        assert principal.may("users.manage")
        assert principal.may("gateway.tenants"), "in the operator's tenant"
        async with database.begin() as connection:
            await connection.execute(memberships.delete())
        async with worker(database) as fresh:
            assert (await fresh.who(signed_in.access)).scopes == frozenset()
        await disable_user(database, user, disabled=True, actor=ADMIN)
        await there.changes.look()
        with pytest.raises(AuthenticationFailed):
            await there.who(signed_in.access)
        with pytest.raises(AuthenticationFailed):
            await there.sessions.refresh(signed_in.refresh, client=BROWSER)
        with pytest.raises(PermissionDenied):
            await here.sign_in()


@sqlite_only
async def test_a_change_that_comes_while_a_session_is_read_is_not_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(database) as here, worker(database) as there:
        signed_in = await there.sign_in()
        user, with_access = signed_in.session.user, known_sessions.with_access

        async def slow(asked: Database, digest: bytes) -> object:
            found = await with_access(asked, digest)
            actor = Actor(kind="user", id=user)
            await there.sessions.revoke(signed_in.session.id, user=user, actor=actor)
            await here.changes.look()
            return found

        monkeypatch.setattr(known_sessions, "with_access", slow)
        await here.who(signed_in.access)
        monkeypatch.undo()
        with pytest.raises(AuthenticationFailed):
            await here.who(signed_in.access)


@sqlite_only
async def test_tokens_run_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker(database) as here:
        signed_in = await here.sign_in()
        await here.who(signed_in.access)
        async with database.begin() as connection:
            await connection.execute(update(sessions).values(access_expires_at=time.time() - 1))
        async with worker(database) as fresh:
            with pytest.raises(AuthenticationFailed):
                await fresh.who(signed_in.access)
            await fresh.sessions.refresh(signed_in.refresh, client=BROWSER)
        async with database.begin() as connection:
            await connection.execute(update(sessions).values(expires_at=time.time() - 1))
        with pytest.raises(AuthenticationFailed):
            await here.sessions.refresh(signed_in.refresh, client=BROWSER)
        assert await here.sessions.sessions_of(signed_in.session.user) == []
    async with worker(database) as here:
        signed_in = await here.sign_in()
        await here.who(signed_in.access)
        later = time.time() + 901
        monkeypatch.setattr(time, "time", lambda: later)
        with pytest.raises(AuthenticationFailed):
            await here.who(signed_in.access)


@sqlite_only
async def test_when_a_session_was_last_used_is_written_behind(database: Database) -> None:
    async with worker(database) as here:
        signed_in = await here.sign_in()
        old = time.time() - 3600
        async with database.begin() as connection:
            await connection.execute(update(sessions).values(last_seen_at=old))
        for _ in range(3):
            await here.who(signed_in.access)
        assert (await here.sessions.sessions_of(signed_in.session.user))[0].last_seen_at == old
    async with worker(database) as here:
        (session,) = await here.sessions.sessions_of(signed_in.session.user)
        assert session.last_seen_at > old + 3000


@sqlite_only
async def test_a_worker_holds_so_many_sessions_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_sessions, "_MOST", 2)
    async with worker(database) as here:
        opened = [await here.sign_in() for _ in range(3)]
        await here.changes.look()  # the sign-ins themselves are no news any more
        for _ in range(2):
            for signed_in in opened:
                await here.who(signed_in.access)
        assert len(here.sessions._known.entries) == 2
