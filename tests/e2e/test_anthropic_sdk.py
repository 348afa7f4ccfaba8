"""Anthropic's official SDK against `gateway serve`, over sockets: keys, limits, and streams that do not end well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from gateway.testing import anthropic_replies, replies
from gateway.testing.upstream import FakeUpstream, Reply

from .support.process import Deployment

CONFIG = """
[auth.apikey]
[provider.anthropic]
base_url = "{url}"
[provider.openai]
base_url = "{url}/v1"
[provider.mock]
[middleware.ratelimit]
requests_per_minute = 1000
"""
EVENTS = {"content-type": "text/event-stream"}
HI: Any = [{"role": "user", "content": "Hello there, how are you?"}]
TEXT = "One two three four five six."


@asynccontextmanager
async def serving(
    deploy: Callable[..., Deployment], *scripted: Reply
) -> AsyncGenerator[tuple[Deployment, str]]:
    """Serve both providers with a fake behind them; yields the deployment and a key."""
    async with FakeUpstream() as upstream:
        upstream.reply(*scripted)
        served = await asyncio.to_thread(deploy, CONFIG.format(url=upstream.url))
        key = await asyncio.to_thread(served.key)
        yield served, key["key"]


def sdk(served: Deployment, **credentials: Any) -> AsyncAnthropic:
    """Make the SDK, which must not try again by itself."""
    return AsyncAnthropic(base_url=served.url, max_retries=0, timeout=30, **credentials)


def events_of(model: str) -> Sequence[bytes]:
    """A whole stream in the words of the provider."""
    make = replies.completion_events if model.startswith("openai") else anthropic_replies.message_events
    return tuple(make(TEXT, "m"))


async def test_keys_come_in_either_header_and_limits_go_out_in_anthropics_words(
    deploy: Callable[..., Deployment],
) -> None:
    async with serving(deploy, Reply()) as (served, key):
        for credentials in ({"api_key": key}, {"auth_token": key}):
            async with sdk(served, **credentials) as client:
                raw = await client.messages.with_raw_response.create(
                    model="mock/echo", max_tokens=50, messages=HI
                )
                message = await raw.parse()
                assert message.content[0].type == "text"
                assert message.content[0].text == HI[0]["content"]
        async with httpx2.AsyncClient(base_url=served.url) as http:
            body = {"model": "mock/echo", "max_tokens": 5, "messages": HI}
            answer = await http.post("/v1/messages", json=body, headers={"x-api-key": key})
            refused = await http.post("/v1/messages", json=body, headers={"x-api-key": "wrong"})
            nowhere = await http.post("/v1/messages/batches", json=body, headers={"x-api-key": key})
            wrong_method = await http.get("/v1/messages", headers={"x-api-key": key})
    for response in (answer, refused, nowhere, wrong_method):
        assert response.headers["request-id"] == response.headers["x-request-id"]
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "1000"
    assert int(answer.headers["anthropic-ratelimit-requests-remaining"]) < 1000
    reset = datetime.fromisoformat(answer.headers["anthropic-ratelimit-requests-reset"])
    assert abs(reset - datetime.now(UTC)) < timedelta(minutes=3)
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    for response, status, kind in (
        (refused, 401, "authentication_error"),
        (nowhere, 404, "not_found_error"),
        (wrong_method, 405, "invalid_request_error"),
    ):
        assert response.status_code == status
        fields = response.json()
        assert (fields["type"], fields["error"]["type"]) == ("error", kind)
        assert fields["request_id"] == response.headers["request-id"]


async def _read(client: AsyncAnthropic, model: str, words: list[str]) -> None:
    async with client.messages.stream(model=model, max_tokens=50, messages=HI) as stream:
        async for word in stream.text_stream:
            words.append(word)  # noqa: PERF401 - what came before a failure is kept


@pytest.mark.parametrize("model", ["anthropic/claude-x", "openai/gpt-x"])
async def test_a_cut_stream_is_an_error(deploy: Callable[..., Deployment], model: str) -> None:
    cut = Reply(headers=EVENTS, parts=events_of(model)[:5], ending="cut")
    async with serving(deploy, cut) as (served, key), sdk(served, api_key=key) as client:
        words: list[str] = []
        with pytest.raises(anthropic.APIStatusError, match="closed the connection"):
            await _read(client, model, words)
        assert TEXT.startswith("".join(words))
        call = (await asyncio.to_thread(served.settled))[0]
    assert (call["status"], call["error"]["code"]) == ("failed", "upstream_cut")


async def test_counting_is_in_the_ledger_and_costs_nothing(deploy: Callable[..., Deployment]) -> None:
    async with serving(deploy, Reply()) as (served, key), sdk(served, api_key=key) as client:
        counted = await client.messages.count_tokens(model="mock/echo", messages=HI)
        call = (await asyncio.to_thread(served.settled))[0]
    assert counted.input_tokens > 0
    assert (call["capability"], call["status"], call["provider"]) == ("tokens", "success", "mock")
    assert (call["prompt_tokens"], call["cost"]) == (0, 0)


@pytest.mark.parametrize("model", ["anthropic/claude-x", "openai/gpt-x"])
async def test_a_stream_that_just_ends_is_an_error(deploy: Callable[..., Deployment], model: str) -> None:
    ended = Reply(headers=EVENTS, parts=events_of(model)[:5])
    async with serving(deploy, ended) as (served, key), sdk(served, api_key=key) as client:
        with pytest.raises(anthropic.APIStatusError, match="broke off"):
            async with client.messages.stream(model=model, max_tokens=50, messages=HI) as stream:
                await stream.get_final_message()


async def test_an_error_in_the_midst_of_a_stream_is_raised(deploy: Callable[..., Deployment]) -> None:
    error = {"error": {"type": "overloaded_error", "message": "Overloaded"}}
    parts = [*events_of("anthropic")[:5], anthropic_replies.event("error", error)]
    async with (
        serving(deploy, Reply(headers=EVENTS, parts=parts)) as (served, key),
        sdk(served, api_key=key) as client,
    ):
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with client.messages.stream(
                model="anthropic/claude-x", max_tokens=50, messages=HI
            ) as stream:
                await stream.get_final_message()
