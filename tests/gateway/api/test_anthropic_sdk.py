"""Anthropic's official SDK against the gateway: only `base_url` and `api_key` are changed."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import ToolParam

from gateway.testing import anthropic_replies, replies
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
HI: Any = [{"role": "user", "content": "Hello there, how are you?"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLAUDE_CODE: dict[str, Any] = {
    "max_tokens": 32_000,
    "system": [
        {"type": "text", "text": "You are a coding agent."},
        {"type": "text", "text": "The folder is /src.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "List the files."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I need a tool.", "signature": "c2lnbmVk"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
                {"type": "tool_use", "id": "toolu_2", "name": "ls", "input": {"path": ".."}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no such folder"}],
                    "is_error": True,
                },
                {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
            ],
        },
    ],
    "tools": [
        {
            "name": "ls",
            "description": "Lists files.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "eager_input_streaming": True,
            "cache_control": {"type": "ephemeral"},
        }
    ],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": "user-1"},
}


class Served:
    """The SDK, and the service behind the gateway."""

    def __init__(self, sdk: AsyncAnthropic, upstream: FakeUpstream) -> None:
        self.sdk = sdk
        self.upstream = upstream

    def sent(self) -> dict[str, Any]:
        """What the gateway sent upstream last."""
        return json.loads(self.upstream.requests[-1].body)


@pytest.fixture
def serve(gateway_factory: GatewayFactory) -> Any:
    """Start a gateway with the providers `anthropic` and `openai`, both of which lead to one fake, and `mock`."""

    @asynccontextmanager
    async def start(*scripted: Reply, **tables: Any) -> AsyncGenerator[Served]:
        async with FakeUpstream() as upstream:
            upstream.reply(*scripted)
            providers = {
                "anthropic": {"base_url": upstream.url, "api_key": "not-a-real-key"},
                "openai": {"base_url": f"{upstream.url}/v1", "api_key": "not-a-real-key"},
                "mock": {},
            }
            async with (
                gateway_factory({"provider": providers, **tables}) as gateway,
                gateway.client as http,
                AsyncAnthropic(
                    base_url="http://gateway", api_key="sk-fake", http_client=http, max_retries=0
                ) as sdk,
            ):
                yield Served(sdk, upstream)

    return start


def whole(text: str = "Hello back.") -> Reply:
    return Reply(headers=JSON, parts=[anthropic_replies.message(text, "claude-x")])


async def test_a_message_passes_through(serve: Any) -> None:
    async with serve(whole()) as served:
        message = await served.sdk.messages.create(
            model="anthropic/claude-x",
            max_tokens=50,
            messages=HI,
            extra_headers={"anthropic-beta": "one,two"},
            extra_body={"brand_new_field": {"deep": [1]}},
        )
    assert message.content[0].text == "Hello back."
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == (
        "end_turn",
        3,
        2,
    )
    assert message._request_id is not None
    assert message._request_id.startswith("req_")
    request = served.upstream.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == "not-a-real-key"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-beta"] == "one,two"
    assert served.sent() == {
        "model": "claude-x",
        "max_tokens": 50,
        "messages": HI,
        "brand_new_field": {"deep": [1]},
    }


@pytest.mark.parametrize("model", ["anthropic/claude-x", "openai/gpt-x", "mock/echo"])
async def test_a_stream_arrives_event_by_event(serve: Any, model: str) -> None:
    text = "Hello there, how are you?"
    is_openai = model.startswith("openai")
    events = (
        replies.completion_events(text, "m") if is_openai else anthropic_replies.message_events(text, "m")
    )
    async with (
        serve(Reply(headers=EVENTS, parts=tuple(events))) as served,
        served.sdk.messages.stream(model=model, max_tokens=50, messages=HI) as stream,
    ):
        words = [word async for word in stream.text_stream]
        message = await stream.get_final_message()
    assert len(words) > 2
    assert "".join(words) == text
    assert message.content[0].text == text
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0
    assert message.usage.input_tokens > 0


async def test_a_coding_agents_request_reaches_anthropic_untouched(serve: Any) -> None:
    async with serve(whole()) as served:
        await served.sdk.messages.with_raw_response.create(
            model="anthropic/claude-opus-4-8",
            messages=CLAUDE_CODE["messages"],
            max_tokens=1,
            extra_body=CLAUDE_CODE,
        )
        assert served.sent() == {"model": "claude-opus-4-8", **CLAUDE_CODE}


async def test_a_coding_agents_request_reaches_openai_translated(serve: Any) -> None:
    async with serve(Reply(headers=JSON, parts=[replies.completion("Done.", "gpt-x")])) as served:
        answer = await served.sdk.messages.create(
            model="openai/gpt-x", messages=CLAUDE_CODE["messages"], max_tokens=1, extra_body=CLAUDE_CODE
        )
    assert answer.content[0].text == "Done."
    sent = served.sent()
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    calls = sent["messages"][2]["tool_calls"]
    assert [(call["id"], call["function"]["name"]) for call in calls] == [
        ("toolu_1", "ls"),
        ("toolu_2", "ls"),
    ]
    assert [message["tool_call_id"] for message in sent["messages"][3:5]] == ["toolu_1", "toolu_2"]
    assert sent["reasoning_effort"] == "high"
    assert sent["tools"][0]["function"]["name"] == "ls"
    assert "context_management" not in sent


def call_chunks(*deltas: dict[str, Any]) -> list[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({**head, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 7}})
    return [*(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks), replies.DONE]


def call_delta(index: int, arguments: str, **first: str) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": first["name"]} if first else {})}
    call = {"index": index, "function": function}
    return {"tool_calls": [{**call, "id": first["id"], "type": "function"} if first else call]}


@pytest.mark.parametrize("in_turns", [False, True])
async def test_parallel_tools_of_openai_stream_to_the_sdk(serve: Any, in_turns: bool) -> None:
    first, second = (
        call_delta(0, "", id="call_a", name="get_weather"),
        call_delta(1, "", id="call_b", name="get_weather"),
    )
    a, b = (
        [call_delta(0, t) for t in ('{"city":', '"Rome"}')],
        [call_delta(1, t) for t in ('{"city":', '"Oslo"}')],
    )
    deltas = [first, second, a[0], b[0], a[1], b[1]] if in_turns else [first, *a, second, *b]
    async with (
        serve(Reply(headers=EVENTS, parts=call_chunks(*deltas))) as served,
        served.sdk.messages.stream(
            model="openai/gpt-x", max_tokens=50, messages=HI, tools=[WEATHER]
        ) as stream,
    ):
        message = await stream.get_final_message()
    assert [(block.id, block.name, block.input) for block in message.content] == [
        ("call_a", "get_weather", {"city": "Rome"}),
        ("call_b", "get_weather", {"city": "Oslo"}),
    ]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 7)
    assert served.sent()["tools"][0]["function"]["parameters"] == WEATHER["input_schema"]


async def test_an_image_reaches_openai_as_a_data_url(serve: Any) -> None:
    data = base64.b64encode(b"picture").decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    async with serve(Reply(headers=JSON, parts=[replies.completion("A cat.", "gpt-x")])) as served:
        await served.sdk.messages.create(
            model="openai/gpt-x", max_tokens=50, messages=[{"role": "user", "content": content}]
        )
    image = served.sent()["messages"][0]["content"][0]
    assert image["image_url"]["url"] == f"data:image/png;base64,{data}"


async def test_structured_output_reaches_openai(serve: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    async with serve(Reply(headers=JSON, parts=[replies.completion('{"a":1}', "gpt-x")])) as served:
        await served.sdk.messages.create(
            model="openai/gpt-x",
            max_tokens=50,
            messages=HI,
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
    shape = served.sent()["response_format"]
    assert (shape["type"], shape["json_schema"]["schema"]) == ("json_schema", schema)


async def test_thoughts_of_another_provider_are_seen_and_not_taken_for_anthropics(serve: Any) -> None:
    chunks = call_chunks({"reasoning_content": "Let me see."}, {"content": "Yes."})
    async with serve(Reply(headers=EVENTS, parts=chunks), whole()) as served:
        async with served.sdk.messages.stream(model="openai/gpt-x", max_tokens=50, messages=HI) as stream:
            message = await stream.get_final_message()
        assert [block.type for block in message.content] == ["thinking", "text"]
        assert message.content[0].thinking == "Let me see."


async def test_what_openai_cannot_be_told_is_refused_by_name(serve: Any) -> None:
    async with serve(whole()) as served:
        with pytest.raises(anthropic.BadRequestError, match="'top_k' cannot be expressed"):
            await served.sdk.messages.create(
                model="openai/gpt-x", max_tokens=50, messages=HI, extra_body={"top_k": 3}
            )
        assert served.upstream.requests == []


@pytest.mark.parametrize("model", ["anthropic/claude-x", "anthropic/other"])
async def test_tokens_are_counted_by_anthropic(serve: Any, model: str) -> None:
    async with serve(Reply(headers=JSON, parts=[b'{"input_tokens": 2095}'])) as served:
        raw = await served.sdk.messages.with_raw_response.count_tokens(model=model, messages=HI)
    assert (await raw.parse()).input_tokens == 2095
    assert "x-gateway-estimated" not in raw.headers
    assert served.upstream.requests[0].path == "/v1/messages/count_tokens"


@pytest.mark.parametrize("model", ["openai/gpt-x", "mock/echo"])
async def test_tokens_are_estimated_for_who_cannot_count(serve: Any, model: str) -> None:
    async with serve(whole()) as served:
        raw = await served.sdk.messages.with_raw_response.count_tokens(
            model=model, messages=HI, tools=[WEATHER]
        )
        bare = await served.sdk.messages.count_tokens(model=model, messages=HI)
    assert raw.headers["x-gateway-estimated"] == "true"
    assert bare.input_tokens == 7
    assert (await raw.parse()).input_tokens > 20
    assert served.upstream.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.InternalServerError),
    ],
)
async def test_errors_of_the_provider_keep_status_type_and_message(
    serve: Any, status: int, kind: str, error: type[anthropic.APIStatusError]
) -> None:
    body = anthropic_replies.refusal("Not now.", type=kind)
    async with serve(Reply(status=status, headers={**JSON, "retry-after": "7"}, parts=[body])) as served:
        with pytest.raises(error) as caught:
            await served.sdk.messages.create(model="anthropic/claude-x", max_tokens=50, messages=HI)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    said: Any = caught.value.body
    assert said["error"] == {"type": kind, "message": "Not now."}
    assert said["request_id"] == caught.value.request_id == caught.value.response.headers["x-request-id"]


async def test_an_error_inside_a_stream_is_raised(serve: Any) -> None:
    events = list(anthropic_replies.message_events("One two three four", "m"))[:5]
    error = {"error": {"type": "overloaded_error", "message": "Overloaded"}}
    events.append(anthropic_replies.event("error", error))
    async with serve(Reply(headers=EVENTS, parts=events)) as served:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with served.sdk.messages.stream(
                model="anthropic/claude-x", max_tokens=50, messages=HI
            ) as stream:
                await stream.get_final_message()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_overloaded_anthropic_gives_way_to_another_provider(serve: Any, stream: bool) -> None:
    error = {"error": {"type": "overloaded_error", "message": "Overloaded"}}
    busy = (
        Reply(headers=EVENTS, parts=[anthropic_replies.event("error", error)])
        if stream
        else Reply(
            status=529, headers=JSON, parts=[anthropic_replies.refusal("Busy", type="overloaded_error")]
        )
    )
    models = {"smart": {"targets": ["anthropic:claude-x", "mock:echo"]}}
    async with serve(busy, models=models) as served:
        request = {"model": "smart", "max_tokens": 50, "messages": HI}
        if stream:
            async with served.sdk.messages.stream(**request) as answer:
                message = await answer.get_final_message()
        else:
            message = await served.sdk.messages.create(**request)
    assert message.content[0].text == HI[0]["content"]


async def test_models_are_listed_in_pages(serve: Any) -> None:
    async with serve(whole()) as served:
        page = await served.sdk.models.list(limit=2)
        assert len(page.data) == 2
        assert page.has_more
        assert page.last_id == page.data[-1].id
        everything = [model async for model in served.sdk.models.list(limit=2)]
        assert len({model.id for model in everything}) == len(everything) > 4
        one = await served.sdk.models.retrieve("mock/echo")
        assert (one.id, one.display_name, one.type, one.created_at.year) == (
            "mock/echo",
            "mock/echo",
            "model",
            1970,
        )
        with pytest.raises(anthropic.NotFoundError) as caught:
            await served.sdk.models.retrieve("nowhere/nothing")
        said: Any = caught.value.body
        assert said["error"]["type"] == "not_found_error"
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            await served.sdk.models.list(limit=0)
