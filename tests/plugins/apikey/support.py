"""Requests with keys, and keys for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.errors import AuthenticationFailed
from gateway.plugin import Context, PluginConfig
from gateway.protocols import Incoming
from gateway.store.audit import Actor
from gateway.store.key_rows import NOTHING, KeySettings
from gateway.store.key_rows import ApiKey as Row
from gateway.store.keys import create_key, get_key, revoke_key, rotate_key
from gateway.types import RawHeaders
from gateway_apikey import ApiKey


class Request(Incoming):
    """A request with these headers."""

    def __init__(self, client: str | None = "127.0.0.1", **headers: str) -> None:
        self.method = "POST"
        self.path = "/v1/chat/completions"
        self.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        self.client = client

    @property
    def header_list(self) -> RawHeaders:
        return [*self.headers.items()]

    @property
    def target(self) -> bytes:
        return self.path.encode()

    async def body(self) -> bytes:
        raise AssertionError("no authenticator of keys reads the body")


TESTS = Actor(kind="gateway", id="tests")


async def make(
    context: Context,
    name: str,
    *,
    tenant: str = "default",
    settings: KeySettings = NOTHING,
    owner: str | None = None,
) -> tuple[Row, str]:
    return await create_key(
        context.database, name, tenant=tenant, settings=settings, owner=owner, actor=TESTS
    )


async def revoke(context: Context, key: Row) -> Row:
    return await revoke_key(context.database, key.tenant, key.id, actor=TESTS)


async def rotate(context: Context, key: Row, *, overlap_seconds: float = 0) -> tuple[Row, str]:
    return await rotate_key(
        context.database, key.tenant, key.id, overlap_seconds=overlap_seconds, actor=TESTS
    )


def bearer(key: str, client: str | None = "127.0.0.1") -> Request:
    return Request(client, authorization=f"Bearer {key}")


@asynccontextmanager
async def running(context: Context) -> AsyncGenerator[ApiKey]:
    plugin = ApiKey("apikey", PluginConfig(), context)
    await plugin.startup()
    try:
        yield plugin
    finally:
        await plugin.shutdown()


async def until_refused(plugin: ApiKey, key: str) -> AuthenticationFailed:
    async with asyncio.timeout(30):
        while True:
            try:
                await plugin.authenticate(bearer(key))
            except AuthenticationFailed as error:
                return error
            await asyncio.sleep(0.01)


async def stored(context: Context, row: Row) -> Row:
    found = await get_key(context.database, row.tenant, row.id)
    assert found is not None
    return found
