"""A signature is good once, whichever worker sees it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway.errors import AuthenticationFailed, Unavailable
from gateway.plugin import Context
from gateway.store.components import change_component, delete_component
from gateway.store.tickets import Tickets
from gateway.testing.fakes import plugin_context
from gateway_component.nonces import Nonces

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


async def test_what_is_away_is_not_taken_for_fresh(service: Service, monkeypatch: pytest.MonkeyPatch):
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("The gateway's database does not answer.")

    monkeypatch.setattr(Tickets, "spend_all", away)
    with pytest.raises(Unavailable):
        await service.ask(service.signed())


async def test_many_nonces_are_spent_together(context: Context):
    tickets = Tickets(context.database, "test")
    one, two = Nonces(tickets), Nonces(tickets)
    until = time.time() + 60
    wanted = [(book, f"nonce-{number}") for number in range(50) for book in (one, two)]
    done = await asyncio.gather(
        *(book.spend(nonce, until=until) for book, nonce in wanted), return_exceptions=True
    )
    assert sum(each is None for each in done) == 50
    assert sum(isinstance(each, AuthenticationFailed) for each in done) == 50


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
