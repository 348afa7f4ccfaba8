from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.plugin import Context
from gateway.testing.upstream import FakeUpstream
from gateway.upstream import Client, Limits, Timeouts
from gateway_openai import OpenAI
from gateway_openai.config import OpenAIConfig


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    """A service on the loopback that answers as told."""
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def plugin(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., OpenAI]]:
    """Make the plugin from its settings, by default towards `upstream`."""
    client = Client(timeouts=Timeouts(first_byte=2, idle=2), limits=Limits(max_body_bytes=100_000))
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(name: str = "acme", **settings: Any) -> OpenAI:
        config = OpenAIConfig.model_validate({"base_url": f"{upstream.url}/v1", **settings})
        return OpenAI(name, config, context)

    yield make
    await client.close()
