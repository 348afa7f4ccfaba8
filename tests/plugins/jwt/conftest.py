"""Fixtures: an issuer, and the plugin that trusts it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.plugin import Context
from gateway.protocols import Incoming
from gateway.store.migrate import upgrade
from gateway.testing.fakes import plugin_context
from gateway.types import Principal, RawHeaders
from gateway_jwt import Jwt
from gateway_jwt.config import JwtConfig

from .oidc import AUDIENCE, Provider, provider


class Request(Incoming):
    """A request with these headers."""

    method = "POST"
    path = "/v1/chat/completions"
    client = "127.0.0.1"

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}

    @property
    def target(self) -> bytes:
        return self.path.encode()

    @property
    def header_list(self) -> RawHeaders:
        return list(self.headers.items())

    async def body(self) -> bytes:
        raise AssertionError("no authenticator of tokens reads the body")


class Door:
    """The authenticator of a running plugin."""

    def __init__(self, plugin: Jwt) -> None:
        self.plugin = plugin
        (self.authenticator,) = plugin.register_authenticators()

    async def send(self, token: str) -> Principal | None:
        """Send a token as a bearer."""
        return await self.authenticator.authenticate(Request(authorization=f"Bearer {token}"))

    async def refusal(self, token: str) -> str:
        """The words with which a token is refused; fails when it is not, or not by an error of ours."""
        try:
            principal = await self.send(token)
        except GatewayError as error:
            words = f"{error.status} {error.message}"
        else:
            raise AssertionError(f"it was let in as {principal}")
        assert token not in words
        return words


Serve = Callable[..., Awaitable[Door]]


@pytest.fixture
async def issuer() -> AsyncGenerator[Provider]:
    async with provider() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to copy: migrating takes longer than most of these tests."""

    async def make() -> Path:
        folder = tmp_path_factory.mktemp("migrated")
        database = plugin_context(folder).database
        await upgrade(database)
        await database.close()
        return folder / "gateway.db"

    return asyncio.run(make())


@pytest.fixture
async def context(tmp_path: Path, migrated: Path) -> AsyncGenerator[Context]:
    shutil.copy(migrated, tmp_path)
    context = plugin_context(tmp_path)
    yield context
    await context.changes.stop()
    await context.client.close()
    await context.public_client.close()
    await context.database.close()


@asynccontextmanager
async def running(context: Context, issuers: dict[str, dict[str, Any]]) -> AsyncGenerator[Door]:
    plugin = Jwt("jwt", JwtConfig.model_validate({"issuers": issuers}), context)
    await plugin.startup()
    try:
        yield Door(plugin)
    finally:
        await plugin.shutdown()


@pytest.fixture
async def serve(context: Context, issuer: Provider) -> AsyncGenerator[Serve]:
    """Run the plugin with an issuer called `corp`, of these settings."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(others: dict[str, dict[str, Any]] | None = None, **settings: Any) -> Door:
            corp = {"issuer": issuer.url, "audience": AUDIENCE, **settings}
            return await stack.enter_async_context(running(context, {"corp": corp, **(others or {})}))

        yield start
