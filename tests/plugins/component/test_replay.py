"""A signature is good once, whichever worker sees it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from gateway.errors import AuthenticationFailed, Unavailable
from gateway.plugin import Context
from gateway.store import Database
from gateway.store.components import change_component, delete_component
from gateway.store.journal import Journal
from gateway.store.tickets import Tickets, sweep
from gateway.testing.fakes import plugin_context
from gateway.upstream import Client
from gateway_component.nonces import Nonces, nonce_of

from ... import scratch
from .conftest import ACTOR, Request, Service, running


async def test_a_signature_is_taken_once(service: Service):
    headers = service.signed()
    assert await service.ask(headers)
    with pytest.raises(AuthenticationFailed, match="used before"):
        await service.ask(headers)


async def test_of_many_repeats_at_once_one_is_taken(service: Service):
    headers = service.signed()
    done = await asyncio.gather(*(service.ask(headers) for _ in range(20)), return_exceptions=True)
    assert sum(not isinstance(each, Exception) for each in done) == 1


async def test_another_worker_and_the_next_start_know_it(tmp_path: Path, context: Context, service: Service):
    other = plugin_context(tmp_path)
    assert other.database.path == context.database.path
    try:
        async with running(other) as plugin:
            first, second = service.signed(), service.signed()
            assert await service.ask(first)
            with pytest.raises(AuthenticationFailed, match="used before"):
                await plugin.authenticate(Request(first))
            assert await plugin.authenticate(Request(second))
        async with running(context) as restarted:
            with pytest.raises(AuthenticationFailed, match="used before"):
                await restarted.authenticate(Request(second))
    finally:
        await other.changes.stop()
        await other.database.close()


async def test_a_refused_signature_uses_no_nonce_up(service: Service):
    headers = service.signed()
    with pytest.raises(AuthenticationFailed):
        await service.ask(headers, body=b"{}")
    assert await service.ask(headers)


async def test_what_is_away_is_not_taken_for_fresh(context: Context, service: Service):
    impatient = Journal(context.database, patience=0.3)
    await impatient.start()
    context.write = impatient.submit
    try:
        with contextlib.closing(sqlite3.connect(context.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await service.ask(service.signed())
            other.execute("ROLLBACK")
    finally:
        await impatient.stop(5)


async def test_many_nonces_are_spent_together(context: Context, service: Service):
    one, two = Nonces(context), Nonces(context)
    until = time.time() + 60
    wanted = [
        (book, nonce_of("key", f"{number}", 1_790_000_000)) for number in range(50) for book in (one, two)
    ]
    done = await asyncio.gather(
        *(book.spend(nonce, until=until) for book, nonce in wanted), return_exceptions=True
    )
    assert sum(each is None for each in done) == 50
    assert sum(isinstance(each, AuthenticationFailed) for each in done) == 50


@pytest.mark.postgres
async def test_of_many_workers_on_postgresql_one_takes_a_nonce() -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(scratch.postgres())
        books: list[Nonces] = []
        for _ in range(3):
            context = Context(client=Client(), database=Database(url))
            stack.push_async_callback(context.database.close)
            journal = Journal(context.database)
            await journal.start()
            stack.push_async_callback(journal.stop, 5)
            context.write = journal.submit
            books.append(Nonces(context))
        until, now = time.time() + 60, int(time.time())
        wanted = [(book, number) for number in range(40) for book in books]
        done = await asyncio.gather(
            *(book.spend(nonce_of("key", f"{number}", now), until=until) for book, number in wanted),
            return_exceptions=True,
        )
        assert sum(each is None for each in done) == 40
        assert sum(isinstance(each, AuthenticationFailed) for each in done) == 80
        await books[0].spend(nonce_of("key", "old", now), until=now - 1)
        await books[1].go_round()
        await books[2].spend(nonce_of("key", "old", now), until=until)
        with pytest.raises(AuthenticationFailed, match="used before"):
            await books[1].spend(nonce_of("key", "old", now), until=until)


async def test_replays_are_refused_after_many_others_were_seen(context: Context, service: Service):
    nonces, until = Nonces(context), time.time() + 60
    for number in range(0, 25_000, 1000):
        names = [nonce_of("key", f"{each}", 1_790_000_000) for each in range(number, number + 1000)]
        await asyncio.gather(*(nonces.spend(name, until=until) for name in names))
    for number in (0, 10_000, 24_999):
        with pytest.raises(AuthenticationFailed, match="used before"):
            await nonces.spend(nonce_of("key", f"{number}", 1_790_000_000), until=until)


async def test_what_has_expired_is_swept_and_nothing_else(context: Context, service: Service):
    nonces, tickets = Nonces(context), Tickets(context.database, "test")
    now = time.time()
    await asyncio.gather(
        *(nonces.spend(nonce_of("key", f"{number}", 1_790_000_000), until=now - 1) for number in range(1200)),
        nonces.spend(nonce_of("key", "good", 1_790_000_000), until=now + 60),
    )
    token = await tickets.issue(seconds=60)
    await sweep(context.database)
    assert await tickets.redeem(token)
    again = Nonces(context)
    await again.spend(nonce_of("key", "7", 1_790_000_000), until=now + 60)
    with pytest.raises(AuthenticationFailed, match="used before"):
        await again.spend(nonce_of("key", "good", 1_790_000_000), until=now + 60)


async def test_a_component_that_is_disabled_or_removed_is_refused(context: Context, service: Service):
    database, row = context.database, service.row
    await change_component(database, "acme", row.id, {"disabled": True}, actor=ACTOR)
    await context.changes.look()
    with pytest.raises(AuthenticationFailed, match="registered"):
        await service.ask(service.signed())
    await change_component(database, "acme", row.id, {"disabled": False, "models": ("a/*",)}, actor=ACTOR)
    await context.changes.look()
    principal = await service.ask(service.signed())
    assert principal
    assert principal.may_use("a/b")
    assert not principal.may_use("b")
    await delete_component(database, "acme", row.id, actor=ACTOR)
    await context.changes.look()
    with pytest.raises(AuthenticationFailed, match="registered"):
        await service.ask(service.signed())
