"""A plugin with a registered component, and the requests that it is asked about."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.identity import Actor
from gateway.plugin import Context
from gateway.protocols import Incoming
from gateway.sdk.signing import Signer
from gateway.store.components import Component as Row
from gateway.store.components import NewComponent, create_component
from gateway.store.journal import Journal
from gateway.testing.fakes import plugin_context
from gateway.types import Principal, RawHeaders
from gateway_component import Component
from gateway_component.config import ComponentConfig

from ... import scratch

ACTOR = Actor(kind="command", id="test")
URL = "http://localhost:8080/v1/chat/completions?a=1"
BODY = b'{"model": "mock/echo"}'
JSON = {"content-type": "application/json"}


class Request(Incoming):
    """A request as it could come in."""

    def __init__(
        self,
        headers: dict[str, str] | list[tuple[str, str]],
        *,
        method: str = "POST",
        target: str = "/v1/chat/completions?a=1",
        body: bytes = BODY,
        host: str = "localhost:8080",
    ) -> None:
        pairs = [("host", host), *(headers.items() if isinstance(headers, dict) else headers)]
        self.method = method
        self.path = target.partition("?")[0]
        self._list = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        self.headers = dict(self._list)
        self.client = "127.0.0.1"
        self._target = target.encode()
        self._body = body

    @property
    def header_list(self) -> RawHeaders:
        return self._list

    @property
    def target(self) -> bytes:
        return self._target

    async def body(self) -> bytes:
        return self._body


class Service:
    """A component with its key, registered at a plugin."""

    def __init__(self, plugin: Component, row: Row, key: Ed25519PrivateKey) -> None:
        self.plugin = plugin
        self.row = row
        self.key = key
        self.signer = Signer(key)

    def signed(
        self, *, url: str = URL, method: str = "POST", body: bytes = BODY, **headers: str
    ) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.signer.headers(method, url, body, {**(JSON if body else {}), **named})

    async def ask(self, headers: dict[str, str] | list[tuple[str, str]], **how: Any) -> Principal | None:
        return await self.plugin.authenticate(Request(headers, **how))


@pytest.fixture
async def context(tmp_path: Path):
    scratch.sqlite(tmp_path)
    context = plugin_context(tmp_path)
    yield context
    await context.changes.stop()
    await context.database.close()


@asynccontextmanager
async def running(context: Context, **config: Any) -> AsyncGenerator[Component]:
    journal = Journal(context.database)
    await journal.start()
    context.write = journal.submit
    plugin = Component("component", ComponentConfig(**config), context)
    await plugin.startup()
    try:
        yield plugin
    finally:
        await plugin.shutdown()
        await journal.stop(5)


@pytest.fixture
async def service(context: Context):
    key = Ed25519PrivateKey.generate()
    new = NewComponent(tenant="acme", name="billing")
    public_key = key.public_key().public_bytes_raw()
    row = await create_component(
        context.database, new, "rfc9421", Signer(key).key_id, public_key, actor=ACTOR
    )
    async with running(context) as plugin:
        yield Service(plugin, row, key)
