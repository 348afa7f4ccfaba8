"""Gateways with both databases, and the official SDK in front of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI

from gateway import Gateway
from gateway.testing.upstream import FakeUpstream

Serve = Callable[..., AbstractAsyncContextManager[AsyncOpenAI]]


@pytest.fixture
def build(database_url: str) -> Callable[..., Gateway]:
    """Make gateways on one database; without providers named it has the mock."""

    def make(**tables: Any) -> Gateway:
        core = {"database": database_url, **tables.pop("gateway", {})}
        return Gateway.from_dict({"gateway": core, "provider": {"mock": {}}, **tables})

    return make


@pytest.fixture
def serve(build: Callable[..., Gateway]) -> Serve:
    """Start a gateway and give the SDK for it, which needs no key as there is no authenticator."""

    @asynccontextmanager
    async def start(**tables: Any) -> AsyncGenerator[AsyncOpenAI]:
        gateway = build(**tables)
        async with gateway.lifespan(), gateway.client as http:
            yield AsyncOpenAI(
                base_url="http://gateway/v1", api_key="not-a-key", http_client=http, max_retries=0
            )

    return start


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    """A service on the loopback that answers as told."""
    async with FakeUpstream() as server:
        yield server
