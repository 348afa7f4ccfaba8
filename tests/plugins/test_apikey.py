"""API keys: who is let in, who is refused and with which words, and what happens while the database is away."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from gateway.errors import AuthenticationFailed, Unavailable
from gateway.plugin import Context, PluginConfig
from gateway.protocols import Incoming
from gateway.store.keys import create_key, revoke_key, rotate_key
from gateway.store.migrate import upgrade
from gateway.store.tables import api_keys, revisions
from gateway.testing.fakes import plugin_context
from gateway.types import Principal
from gateway_apikey import ApiKey


class Request(Incoming):
    """A request with these headers."""

    def __init__(self, **headers: str) -> None:
        self.method = "POST"
        self.path = "/v1/chat/completions"
        self.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        self.client = "127.0.0.1"

    async def body(self) -> bytes:
        raise AssertionError("no authenticator of keys reads the body")


def bearer(key: str) -> Request:
    return Request(authorization=f"Bearer {key}")


@pytest.fixture
async def context(tmp_path: Path):
    context = plugin_context(tmp_path)
    await upgrade(context.database)
    yield context
    await context.database.close()


@asynccontextmanager
async def running(context: Context) -> AsyncGenerator[ApiKey]:
    plugin = ApiKey("apikey", PluginConfig(), context)
    await plugin.startup()
    try:
        yield plugin
    finally:
        await plugin.shutdown()


@pytest.fixture
async def plugin(context: Context):
    async with running(context) as plugin:
        yield plugin


async def until_refused(plugin: ApiKey, key: str) -> AuthenticationFailed:
    async with asyncio.timeout(10):
        while True:
            try:
                await plugin.authenticate(bearer(key))
            except AuthenticationFailed as error:
                return error
            await asyncio.sleep(0.01)


async def test_a_key_is_known_from_start(context: Context):
    row, key = await create_key(context.database, "laptop", tenant="acme", models=["gpt-5", "openai/*"])
    async with running(context) as plugin:
        assert await plugin.authenticate(bearer(key)) == Principal(
            tenant="acme",
            authenticator="apikey",
            key=row.id,
            key_name="laptop",
            models=("gpt-5", "openai/*"),
        )


async def test_a_new_key_works_at_once(context: Context, plugin: ApiKey):
    for number in range(3):
        _, key = await create_key(context.database, f"key {number}")
        assert await plugin.authenticate(bearer(key))


@pytest.mark.parametrize("header", ["x_api_key", "api_key", "x_goog_api_key"])
async def test_the_headers_of_other_dialects_hold_keys_too(context: Context, plugin: ApiKey, header: str):
    _, key = await create_key(context.database, "sdk")
    assert await plugin.authenticate(Request(**{header: key}))
    assert await plugin.authenticate(Request(**{header: key, "authorization": "Basic dXNlcjpwYXNz"}))
    with pytest.raises(AuthenticationFailed):
        await plugin.authenticate(Request(**{header: "gw_wrong"}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(context: Context, plugin: ApiKey, scheme: str):
    _, key = await create_key(context.database, "a")
    assert await plugin.authenticate(Request(authorization=f"{scheme}  {key} "))


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request(authorization="Basic dXNlcjpwYXNz"),
        Request(authorization="Bearer "),
        Request(authorization="Bearer"),
        Request(authorization="Bearer header.payload.signature"),
        Request(x_api_key=""),
    ],
)
async def test_what_is_no_key_is_left_to_others(plugin: ApiKey, request_: Request):
    assert await plugin.authenticate(request_) is None


async def test_an_unknown_key_is_refused(plugin: ApiKey):
    key = "gw_notArealKeyButAsLongAsOneXXXXXXXXXXXXXXwxyz"
    for _ in range(2):
        with pytest.raises(AuthenticationFailed) as refused:
            await plugin.authenticate(bearer(key))
        assert refused.value.message == "Incorrect API key provided: gw_no…wxyz."


@pytest.mark.parametrize(
    "secret", ["correct horse battery staple", "gw_short", "sk-of-another-service-0123456789"]
)
async def test_what_is_no_key_of_ours_is_not_repeated(plugin: ApiKey, secret: str):
    with pytest.raises(AuthenticationFailed) as refused:
        await plugin.authenticate(bearer(secret))
    assert refused.value.message == "Incorrect API key provided."


async def test_an_expired_key_is_refused(context: Context, plugin: ApiKey):
    row, key = await create_key(context.database, "old", expires_at=time.time() - 1)
    with pytest.raises(AuthenticationFailed) as refused:
        await plugin.authenticate(bearer(key))
    assert refused.value.message == f"The API key {row.hint} has expired."


async def test_a_key_expires_without_anybody_saying_so(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch
):
    end = time.time() + 3600
    _, key = await create_key(context.database, "short", expires_at=end)
    assert await plugin.authenticate(bearer(key))
    monkeypatch.setattr("gateway_apikey.plugin.time.time", lambda: end)
    with pytest.raises(AuthenticationFailed, match="has expired"):
        await plugin.authenticate(bearer(key))


async def test_a_revoked_key_stops_working(context: Context, plugin: ApiKey):
    row, key = await create_key(context.database, "lost")
    assert await plugin.authenticate(bearer(key))
    await revoke_key(context.database, row.id)
    refused = await until_refused(plugin, key)
    assert refused.message == f"The API key {row.hint} was revoked."


async def test_a_key_revoked_before_the_start_is_refused_in_the_same_words(context: Context):
    row, key = await create_key(context.database, "lost")
    await revoke_key(context.database, row.id)
    async with running(context) as plugin:
        with pytest.raises(AuthenticationFailed, match="was revoked"):
            await plugin.authenticate(bearer(key))


async def test_a_rotated_key_works_through_the_overlap(context: Context, plugin: ApiKey):
    row, old = await create_key(context.database, "ci")
    second, new = await rotate_key(context.database, row.id, overlap_seconds=600)
    assert await plugin.authenticate(bearer(new))
    assert await plugin.authenticate(bearer(old))
    _, newest = await rotate_key(context.database, second.id)
    assert await plugin.authenticate(bearer(newest))
    await until_refused(plugin, new)


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
    _, key = await create_key(context.database, "new")
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
    _, known = await create_key(context.database, "known")
    assert await plugin.authenticate(bearer(known))
    _, unknown = await create_key(context.database, "unknown")
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
    async with asyncio.timeout(10):
        while len(caplog.records) == 1:
            await asyncio.sleep(0.01)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert await plugin.authenticate(bearer(unknown))


async def test_a_database_that_says_nothing_does_not_hold_calls_up(
    context: Context, plugin: ApiKey, monkeypatch: pytest.MonkeyPatch
):
    _, known = await create_key(context.database, "known")
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
    _, gone = await create_key(context.database, "gone")
    _, stays = await create_key(context.database, "stays")
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
