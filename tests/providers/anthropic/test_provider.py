"""What the provider sends, and how it takes what comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from gateway.errors import ConfigError, ProviderError
from gateway.plugin import Context
from gateway.protocols import ListsModels
from gateway.testing import anthropic_replies
from gateway.testing.fakes import make_call
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer, Attempt, Target
from gateway.upstream import Client
from gateway_anthropic import Anthropic
from gateway_anthropic.config import AnthropicConfig

JSON = {"content-type": "application/json"}
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        server.reply(Reply(headers=JSON, parts=[anthropic_replies.message("Hi", "m")]))
        yield server


@pytest.fixture
async def plugin(upstream: FakeUpstream) -> AsyncGenerator[Callable[..., Anthropic]]:
    client = Client()
    context = Context(client=client, database=None)  # pyright: ignore[reportArgumentType] - not used

    def make(**settings: Any) -> Anthropic:
        config = AnthropicConfig.model_validate({"base_url": upstream.url, **settings})
        return Anthropic("acme", config, context)

    yield make
    await client.close()


async def send(
    plugin: Anthropic, dialect: str = "anthropic.messages", forwarded: Sequence[tuple[bytes, bytes]] = ()
) -> Answer:
    call = msgspec.structs.replace(make_call(BODY, dialect="anthropic.messages"), forwarded=forwarded)
    (provider,) = plugin.register_providers()
    return await provider.send(
        Attempt(call=call, target=Target("acme", "m", dialect), number=1, body=call.body)
    )


async def test_version_and_betas_are_its_own_unless_the_client_says_otherwise(
    plugin: Callable[..., Anthropic], upstream: FakeUpstream
) -> None:
    made = plugin(betas=["a-beta"], api_key="not-a-real-key", headers={"X-Team": "green"})
    await send(made)
    await send(
        made, forwarded=[(b"anthropic-version", b"2026-10-21"), (b"anthropic-beta", b"b-beta, a-beta,")]
    )
    first, second = (request.headers for request in upstream.requests)
    assert (first["anthropic-version"], first["anthropic-beta"]) == ("2023-06-01", "a-beta")
    assert (second["anthropic-version"], second["anthropic-beta"]) == ("2026-10-21", "a-beta,b-beta")
    assert (first["x-api-key"], first["x-team"]) == ("not-a-real-key", "green")


async def test_each_dialect_has_its_path(plugin: Callable[..., Anthropic], upstream: FakeUpstream) -> None:
    made = plugin(base_url=f"{upstream.url}/v1")
    await send(made)
    await send(made, "anthropic.count_tokens")
    await made.check()
    assert [request.path for request in upstream.requests] == [
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
    ]
    assert "anthropic-beta" not in upstream.requests[0].headers
    assert "x-api-key" not in upstream.requests[0].headers
    assert upstream.requests[2].headers["anthropic-version"] == "2023-06-01"


async def test_the_service_is_asked_for_its_models(
    plugin: Callable[..., Anthropic], upstream: FakeUpstream
) -> None:
    upstream.reply(Reply(headers=JSON, parts=[b'{"data": [{"type": "model", "id": "claude-x"}]}']))
    made = plugin()
    await send(made)  # the fixture's answer is for this
    (provider,) = made.register_providers()
    assert isinstance(provider, ListsModels)
    assert await provider.list_models() == ["claude-x"]
    assert upstream.requests[1].path == "/v1/models?limit=1000"


async def test_an_overloaded_service_lets_another_be_tried(
    plugin: Callable[..., Anthropic], upstream: FakeUpstream
) -> None:
    body = anthropic_replies.refusal("Overloaded", type="overloaded_error")
    upstream.reply(Reply(status=529, headers={**JSON, "retry-after": "3"}, parts=[body]))
    made = plugin()
    await send(made)
    with pytest.raises(ProviderError) as caught:
        await send(made)
    error = caught.value
    assert (error.status, error.type, error.message, error.can_fall_back) == (
        529,
        "overloaded_error",
        "Overloaded",
        True,
    )
    assert error.headers == ((b"retry-after", b"3"),)


def test_a_missing_key_is_named() -> None:
    context = Context(client=Client(), database=None)  # pyright: ignore[reportArgumentType] - not used
    with pytest.raises(ConfigError, match="api_key: required"):
        Anthropic("anthropic", AnthropicConfig(), context)


@pytest.mark.parametrize("settings", [{"version": "latest"}, {"betas": ["a,b"]}, {"betas": [""]}])
def test_settings_that_cannot_be_sent_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnthropicConfig.model_validate(settings)
