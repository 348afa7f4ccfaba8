"""Anthropic's own dialect over InvokeModel."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import ProviderError
from gateway.provider import Failures, Scrubber
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer
from gateway.wire import exchange
from gateway.wire.aws_event_stream import frame
from gateway_bedrock.invoke import EventsOfFrames
from gateway_bedrock.provider import BedrockProvider

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
STREAM = {"content-type": "application/vnd.amazon.eventstream"}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "role": "assistant",
            "content": [],
            "usage": {"input_tokens": 7, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüß Gott"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7}},
]


def chunk(event: Any) -> bytes:
    payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcd"}
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def exception(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def expected(events: Sequence[Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def ask(*, stream: bool = False) -> dict[str, Any]:
    return {
        "model": MODEL,
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "Hi"}],
        "something_new": {"a": 1},
        **({"stream": True} if stream else {}),
    }


async def read(answer: Answer) -> bytes:
    assert answer.stream is not None
    return b"".join([chunk async for chunk in answer.stream])


def test_only_claude_speaks_it(provider: Callable[..., BedrockProvider]) -> None:
    made = provider()
    assert made.speaks("anthropic.messages", MODEL)
    assert made.speaks("anthropic.messages", "anthropic.claude-opus-4-7")
    assert not made.speaks("anthropic.messages", "amazon.nova-lite-v1:0")
    assert not made.speaks("openai.chat", MODEL)


async def test_a_request_loses_model_and_stream(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    body = {
        "type": "message",
        "content": [{"type": "text", "text": "Hi"}],
        "usage": {"input_tokens": 1},
        "new": 1,
    }
    upstream.reply(Reply(headers={"content-type": "application/json"}, parts=[json.dumps(body).encode()]))
    answer = await provider().send(attempt(ask(), "anthropic.messages", to="anthropic.messages"))
    (request,) = upstream.requests
    assert request.path == "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"
    assert json.loads(request.body) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "Hi"}],
        "something_new": {"a": 1},
    }
    assert json.loads(answer.body) == body


async def test_a_stream_becomes_anthropics_events(
    provider: Callable[..., BedrockProvider], upstream: FakeUpstream, attempt: Any
) -> None:
    upstream.reply(Reply(headers=STREAM, parts=[chunk(event) for event in EVENTS]))
    one = attempt(ask(stream=True), "anthropic.messages", to="anthropic.messages")
    data = await read(await provider().send(one))
    assert upstream.requests[0].path.endswith("/invoke-with-response-stream")
    assert data == expected(EVENTS)
    reader = exchange(one.call, "anthropic.messages", provider="aws").reader()
    assert reader.feed(data) == data
    reader.end()
    assert reader.finished
    assert reader.usage is not None
    assert (reader.usage.prompt_tokens, reader.usage.completion_tokens) == (7, 5)


class Pieces:
    """A stream from a list."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._rest = list(pieces)

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._rest:
            raise StopAsyncIteration
        return self._rest.pop(0)


def unpacked(pieces: Sequence[bytes]) -> EventsOfFrames:
    return EventsOfFrames(Pieces(pieces), "aws", Failures("aws", Scrubber(["not-a-real-key"])))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 2000), max_size=8))
def test_cut_anywhere(places: list[int]) -> None:
    stream = b"".join(map(chunk, EVENTS))
    edges = [0, *sorted(place for place in places if place < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges) if end > start]

    async def read_all() -> list[bytes]:
        return [events async for events in unpacked(pieces)]

    events = asyncio.run(read_all())
    assert all(events)
    assert b"".join(events) == expected(EVENTS)


@pytest.mark.parametrize(
    ("bad", "status", "code", "message", "falls_back"),
    [
        (
            exception("throttlingException", "Slow down, not-a-real-key"),
            429,
            "throttlingException",
            "Slow down, [redacted]",
            True,
        ),
        (exception("validationException", "Bad"), 400, "validationException", "Bad", False),
        (chunk([]), 502, "upstream_malformed", None, True),
        (frame({":event-type": "chunk"}, b'{"bytes": "e"}'), 502, "upstream_malformed", None, True),
        (b"\0" * 20, 502, "upstream_malformed", None, True),
        (frame({":message-type": "exception"}, b"?"), 502, "upstream_malformed", None, True),
    ],
)
async def test_what_breaks_a_stream(
    bad: bytes, status: int, code: str, message: str | None, falls_back: bool
) -> None:
    stream = unpacked([chunk(EVENTS[0]) + bad])
    assert await anext(stream) == expected(EVENTS[:1]), "what came before it is handed on"
    with pytest.raises(ProviderError) as caught:
        await anext(stream)
    error = caught.value
    assert (error.status, error.code, error.can_fall_back) == (status, code, falls_back)
    assert message is None or error.message == message
