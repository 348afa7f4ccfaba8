from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.plugin import Context
from gateway.testing.upstream import FakeUpstream
from gateway.upstream import Client, Timeouts
from gateway_azure import Azure
from gateway_azure.config import AzureConfig
from gateway_azure.provider import AzureProvider


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    """A resource on the loopback that answers as told."""
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def entra() -> AsyncGenerator[FakeUpstream]:
    """Entra ID, or a machine's identity service, on the loopback."""
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def provider(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., AzureProvider]]:
    """Make the provider from its settings, towards `upstream`; with a key unless told otherwise."""
    client = Client(timeouts=Timeouts(first_byte=2, idle=2))
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(**settings: Any) -> AzureProvider:
        credentials = {"api_key", "api_keys", "tenant_id", "managed_identity"} & set(settings)
        key = {} if credentials else {"api_key": "not-a-real-key"}
        config = AzureConfig.model_validate({"base_url": upstream.url, **key, **settings})
        (made,) = Azure("azure", config, context).register_providers()
        assert isinstance(made, AzureProvider)
        return made

    yield make
    await client.close()
