"""Gateways that leave Google's files, caches and batches to a provider, and Google's own SDK in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from google import genai
from google.genai import types

from gateway import Gateway, Plugin, PluginConfig, hookimpl
from gateway.protocols import Incoming
from gateway.store import Database
from gateway.store.calls import as_record
from gateway.store.tables import model_calls
from gateway.types import Principal

from .service import Google

KEY = "not-a-real-key-but-long-enough"
Sdk = Any
"""`genai.Client`, whose methods have types that are partly unknown where Pillow is not installed."""
Serve = Callable[..., AbstractAsyncContextManager[Callable[[str], Sdk]]]


class ByTenant(Plugin[PluginConfig]):
    """Takes the key for the tenant; `limited` may use one model only, `elsewhere` not this provider."""

    id = "auth.by_tenant"

    @hookimpl
    def register_authenticators(self) -> Sequence[ByTenant]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        """Read the key."""
        key = incoming.headers.get(b"x-goog-api-key")
        if key is None:
            return None
        tenant = key.decode()
        models = ("up/other",) if tenant == "limited" else None
        providers = ("other",) if tenant == "elsewhere" else None
        return Principal(tenant=tenant, authenticator="by_tenant", models=models, providers=providers)


@pytest.fixture
async def google() -> AsyncGenerator[Google]:
    async with Google() as server:
        yield server


@pytest.fixture
def build(google: Google, database_url: str) -> Callable[..., Gateway]:
    """Make gateways on one database."""

    def make(files: Any = None, **settings: Any) -> Gateway:
        provider = {"use": "gemini", "base_url": f"{google.url}/v1beta", "api_key": KEY, **settings}
        return Gateway.from_dict(
            {
                "gateway": {
                    "database": database_url,
                    "max_body_bytes": 64 * 2**20,
                    "files": {"google": "up"} if files is None else files,
                },
                "provider": {"up": provider, "mock": {}},
                "models": {"fast": {"targets": ["mock:echo", "up:gemini-2.5-flash"]}},
                "auth": {"by_tenant": {}},
            },
            plugins=[ByTenant],
        )

    return make


@pytest.fixture
def serve(build: Callable[..., Gateway]) -> Serve:
    """Start a gateway and give what makes the SDK for a tenant."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncGenerator[Callable[[str], Sdk]]:
        gateway = build(**settings)
        async with gateway.lifespan(), gateway.client as http:
            once = types.HttpRetryOptions(attempts=1)
            options = types.HttpOptions(
                base_url="http://gateway", retry_options=once, httpx_async_client=http
            )
            yield lambda tenant: genai.Client(api_key=tenant, http_options=options).aio

    return start


@pytest.fixture
def calls(database: Database) -> Any:
    """Read the ledger, once no more calls than so many are on their way."""
    ordered = model_calls.select().order_by(model_calls.c.client_request_id)

    async def read(*, running: int = 0) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while True:
                async with database.connect() as connection:
                    rows = [as_record(row) for row in await connection.execute(ordered)]
                if [row["status"] for row in rows].count("processing") == running:
                    return rows
                await asyncio.sleep(0.02)

    return read
