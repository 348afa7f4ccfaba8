"""OpenAI's official SDK against the gateway, where a provider does not speak the client's dialect."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing import anthropic_replies
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}


class Served:
    """The SDK, and the service behind the gateway."""

    def __init__(self, sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
        self.sdk = sdk
        self.upstream = upstream

    def sent(self) -> dict[str, Any]:
        """What the gateway sent upstream last."""
        return json.loads(self.upstream.requests[-1].body)


@pytest.fixture
def serve(gateway_factory: GatewayFactory) -> Any:
    """Start a gateway with the providers `anthropic` and `mock`."""

    @asynccontextmanager
    async def start(*scripted: Reply) -> AsyncGenerator[Served]:
        async with FakeUpstream() as upstream:
            upstream.reply(*scripted)
            providers = {"anthropic": {"base_url": upstream.url, "api_key": "not-a-real-key"}, "mock": {}}
            async with (
                gateway_factory({"provider": providers}) as gateway,
                gateway.client as http,
                AsyncOpenAI(
                    base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
                ) as sdk,
            ):
                yield Served(sdk, upstream)

    return start


async def test_a_completion_of_a_provider_that_only_chats(serve: Any) -> None:
    async with serve() as served:
        answer = await served.sdk.completions.create(model="mock/echo", prompt="Once upon a time", n=2)
        assert [choice.text for choice in answer.choices] == ["Once upon a time"] * 2
        assert answer.object == "text_completion"
        assert answer.usage is not None
        assert answer.usage.total_tokens > 0
        stream = await served.sdk.completions.create(
            model="mock/echo", prompt="Once upon a time", stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.text for chunk in chunks for c in chunk.choices) == "Once upon a time"
        assert chunks[-1].usage == answer.usage.model_copy(
            update={
                "completion_tokens": answer.usage.completion_tokens // 2,
                "total_tokens": answer.usage.prompt_tokens + answer.usage.completion_tokens // 2,
            }
        )
        with pytest.raises(openai.BadRequestError, match="'echo'"):
            await served.sdk.completions.create(model="mock/echo", prompt="a", echo=True)
        with pytest.raises(openai.BadRequestError, match="2 prompts"):
            await served.sdk.completions.create(model="mock/echo", prompt=["a", "b"])


async def test_a_chat_with_a_provider_of_another_dialect(serve: Any) -> None:
    reply = Reply(headers=JSON, parts=[anthropic_replies.message("Hello back.", "claude-x")])
    async with serve(reply) as served:
        answer = await served.sdk.chat.completions.create(
            model="anthropic/claude-x",
            max_completion_tokens=9,
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        )
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello back.", "stop")
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)
        assert served.sent()["max_tokens"] == 9


async def test_what_the_provider_cannot_be_told_is_named_in_openais_words(serve: Any) -> None:
    async with serve() as served:
        with pytest.raises(openai.BadRequestError) as caught:
            await served.sdk.chat.completions.create(
                model="anthropic/claude-x", messages=[{"role": "user", "content": "Hi"}], logit_bias={"1": 5}
            )
    assert caught.value.param == "logit_bias"
    assert served.upstream.requests == []
