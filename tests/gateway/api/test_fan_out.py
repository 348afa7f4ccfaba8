"""Several answers from a provider that gives one at a time: as many requests, one answer, one bill."""

from __future__ import annotations

import asyncio
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
ASKED: Any = {
    "model": "anthropic/claude-x",
    "messages": [{"role": "user", "content": "Say something."}],
    "n": 3,
}


@pytest.fixture
def serve(gateway_factory: GatewayFactory) -> Any:
    """Start a gateway in front of a service that speaks Anthropic's dialect, which knows no `n`."""

    @asynccontextmanager
    async def start(*scripted: Reply) -> AsyncGenerator[tuple[AsyncOpenAI, FakeUpstream]]:
        async with FakeUpstream() as upstream:
            upstream.reply(*scripted)
            provider = {"base_url": upstream.url, "api_key": "not-a-real-key"}
            async with (
                gateway_factory({"provider": {"anthropic": provider}}) as gateway,
                gateway.client as http,
                AsyncOpenAI(
                    base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
                ) as sdk,
            ):
                yield sdk, upstream

    return start


def whole(text: str) -> Reply:
    return Reply(headers=JSON, parts=[anthropic_replies.message(text, "claude-x")])


def streamed(text: str, **fields: Any) -> Reply:
    return Reply(headers=EVENTS, parts=list(anthropic_replies.message_events(text, "claude-x")), **fields)


async def test_each_answer_is_a_choice_and_usage_adds_up(serve: Any) -> None:
    async with serve(whole("one"), whole("two"), whole("three")) as (sdk, upstream):
        answer = await sdk.chat.completions.create(**ASKED)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {"one", "two", "three"}
    single = json.loads(anthropic_replies.message("one", "claude-x"))["usage"]
    assert answer.usage.prompt_tokens == 3 * single["input_tokens"]
    assert len(upstream.requests) == 3
    assert all("n" not in json.loads(request.body) for request in upstream.requests)


async def test_streams_are_woven_into_one(serve: Any) -> None:
    texts = ["first answer here", "second answer, longer than that", "third"]
    async with serve(*map(streamed, texts)) as (sdk, _):
        stream = await sdk.chat.completions.create(
            **ASKED, stream=True, stream_options={"include_usage": True}
        )
        said: dict[int, str] = {0: "", 1: "", 2: ""}
        stops: list[int] = []
        usage = None
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                said[choice.index] += choice.delta.content or ""
                if choice.finish_reason:
                    stops.append(choice.index)
    assert sorted(said.values()) == sorted(texts)
    assert sorted(stops) == [0, 1, 2]
    assert usage is not None
    assert usage.prompt_tokens == 9


async def test_one_refusal_refuses_all_and_lets_go_of_the_others(serve: Any) -> None:
    refusal = Reply(
        status=400, headers=JSON, parts=[anthropic_replies.refusal("no", type="invalid_request_error")]
    )
    async with serve(whole("one"), refusal, Reply(ending="hang")) as (sdk, upstream):
        with pytest.raises(openai.BadRequestError, match="no"):
            await sdk.chat.completions.create(**ASKED)
        await upstream.released()


async def test_a_failure_before_the_first_word_leaves_nothing_running(serve: Any) -> None:
    broken = Reply(headers=EVENTS, parts=[b"event: message_start\ndata: {nonsense\n\n"])
    silent = Reply(headers=EVENTS, parts=[b": wait\n\n"], ending="hang")
    async with serve(silent, broken, silent) as (sdk, upstream):
        before = asyncio.all_tasks()
        with pytest.raises(openai.InternalServerError):
            await sdk.chat.completions.create(**ASKED, stream=True)
        await upstream.released()
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() - before if "_pump" in repr(task)]
    assert left == []


async def test_there_is_a_limit(serve: Any) -> None:
    async with serve() as (sdk, upstream):
        with pytest.raises(openai.BadRequestError, match="at most 16") as caught:
            await sdk.chat.completions.create(**{**ASKED, "n": 17})
    assert caught.value.param == "n"
    assert upstream.requests == []
