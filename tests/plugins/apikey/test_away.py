"""API keys while the database is away, or slow, or another."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import delete, update

from gateway.errors import AuthenticationFailed, Unavailable
from gateway.plugin import Context
from gateway.store.tables import api_keys, revisions
from gateway.types import Principal
from gateway_apikey import ApiKey

from .support import bearer, make, running, until_refused


async def test_guesses_share_the_database_s_time(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch
):
    asked = 0
    connect = context.database.connect

    def counting():
        nonlocal asked
        asked += 1
        return connect()

    monkeypatch.setattr(context.database, "connect", counting)
    _, key = await make(context, "new")
    tries = [plugin.authenticate(bearer(f"gw_guess{number}")) for number in range(200)]
    *refused, principal = await asyncio.gather(
        *tries, plugin.authenticate(bearer(key)), return_exceptions=True
    )
    assert all(isinstance(result, AuthenticationFailed) for result in refused)
    assert isinstance(principal, Principal)
    assert asked <= 3


class Outage:
    """Makes a database unreachable, and reachable again."""

    def __init__(self, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self.noticed = asyncio.Event()
        connect = context.database.connect

        def broken():
            if not self.on:
                return connect()
            self.noticed.set()
            raise Unavailable("The gateway's database cannot be reached.")

        monkeypatch.setattr(context.database, "connect", broken)


async def test_without_database_known_keys_go_on_and_unknown_ones_get_503(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    _, known = await make(context, "known")
    assert await plugin.authenticate(bearer(known))
    _, unknown = await make(context, "unknown")
    outage = Outage(context, monkeypatch)
    outage.on = True
    for _ in range(3):
        assert await plugin.authenticate(bearer(known))
        with pytest.raises(Unavailable) as refused:
            await plugin.authenticate(bearer(unknown))
        assert refused.value.status == 503
        assert (b"retry-after", b"1") in refused.value.headers
    outage.noticed.clear()
    await outage.noticed.wait()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "cannot be read" in caplog.text

    outage.on = False
    async with asyncio.timeout(30):
        while len(caplog.records) == 1:
            await asyncio.sleep(0.01)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert await plugin.authenticate(bearer(unknown))


async def test_a_database_that_says_nothing_does_not_hold_calls_up(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch
):
    _, known = await make(context, "known")
    assert await plugin.authenticate(bearer(known))
    silent = asyncio.Event()

    @asynccontextmanager
    async def hang():
        silent.set()
        await asyncio.get_running_loop().create_future()
        yield

    monkeypatch.setattr("gateway_apikey.snapshot.LOOK_UP_SECONDS", 0.05)
    monkeypatch.setattr(context.database, "connect", hang)
    await silent.wait()
    assert await plugin.authenticate(bearer(known))
    with pytest.raises(Unavailable):
        await plugin.authenticate(bearer("gw_unknown"))


async def test_a_start_without_database_fails(context: Context, monkeypatch: pytest.MonkeyPatch):
    outage = Outage(context, monkeypatch)
    outage.on = True
    with pytest.raises(Unavailable):
        async with running(context):
            pass


async def test_a_replaced_table_replaces_all_keys(context: Context, plugin: ApiKey):
    _, gone = await make(context, "gone")
    _, stays = await make(context, "stays")
    assert await plugin.authenticate(bearer(gone))
    async with context.database.begin() as connection:
        await connection.execute(delete(api_keys).where(api_keys.c.name == "gone"))
        await connection.execute(update(api_keys).values(revision=1))
        await connection.execute(update(revisions).values(value=1))
    await until_refused(plugin, gone)
    assert await plugin.authenticate(bearer(stays))


async def test_who_waits_at_shutdown_is_answered(context: Context, monkeypatch: pytest.MonkeyPatch):
    silent = asyncio.Event()

    @asynccontextmanager
    async def hang():
        silent.set()
        await asyncio.get_running_loop().create_future()
        yield

    async with running(context) as plugin:
        monkeypatch.setattr(context.database, "connect", hang)
        waiting = asyncio.create_task(plugin.authenticate(bearer("gw_unknown")))
        await silent.wait()
    with pytest.raises(Unavailable):
        await waiting
