from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.plugin import Context
from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream
from gateway.types import Attempt, Target
from gateway.upstream import Client, Limits, Timeouts
from gateway.wire import exchange
from gateway_bedrock import Bedrock
from gateway_bedrock.config import BedrockConfig
from gateway_bedrock.provider import BedrockProvider

ACCESS = {"access_key_id": "not-a-real-key-id", "secret_access_key": "not-a-real-secret-access-key"}


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    """A Bedrock on the loopback that answers as told."""
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def provider(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., BedrockProvider]]:
    """Make the provider from its settings, towards `upstream`; with an access key unless told otherwise."""
    client = Client(timeouts=Timeouts(first_byte=2, idle=2), limits=Limits(max_body_bytes=1_000_000))
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(**settings: Any) -> BedrockProvider:
        given = {"region": "us-east-1", "base_url": upstream.url, **(settings or ACCESS)}
        plugin = Bedrock("aws", BedrockConfig.model_validate(given), context)
        (made,) = plugin.register_providers()
        assert isinstance(made, BedrockProvider)
        return made

    yield make
    await client.close()


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    """Make an attempt: a client's request, put into the dialect that the provider wants."""

    def make(
        body: dict[str, Any], dialect: str, *, to: str = "bedrock.converse", model: str | None = None
    ) -> Attempt:
        call = make_call(body, dialect=dialect)
        target = Target("aws", model or call.model, to)
        prepared = exchange(call, to, provider="aws").prepare(target.model)
        return Attempt(call=call, target=target, number=1, body=prepared)

    return make


@pytest.fixture
def chat(attempt: Callable[..., Attempt]) -> Callable[..., Attempt]:
    """Make a short chat of an OpenAI client."""

    def make(*, model: str = "amazon.nova-lite-v1:0", stream: bool = False) -> Attempt:
        return attempt(
            {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}, "openai.chat"
        )

    return make
