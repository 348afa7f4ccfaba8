"""Clients of a gateway that has Bedrock behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.wire.aws_event_stream import frame
from gateway_bedrock import Bedrock

STREAM = {"content-type": "application/vnd.amazon.eventstream"}
CLAUDE = "aws/anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "aws/amazon.nova-lite-v1:0"


def event(name: str, **payload: Any) -> bytes:
    return frame({":event-type": name, ":message-type": "event"}, json.dumps(payload).encode())


def chunk(data: Any) -> bytes:
    return event("chunk", bytes=base64.b64encode(json.dumps(data).encode()).decode())


CALL_IN_PIECES = [
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Grüß "}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Gott"}),
    event("contentBlockStop", contentBlockIndex=0),
    event("contentBlockStart", contentBlockIndex=1, start={"toolUse": {"toolUseId": "t1", "name": "look"}}),
    event("contentBlockDelta", contentBlockIndex=1, delta={"toolUse": {"input": '{"a":1}'}}),
    event("contentBlockStop", contentBlockIndex=1),
    event("messageStop", stopReason="tool_use"),
    event("metadata", usage={"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}),
]
REFUSED = frame(
    {":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message": "Slow down."}'
)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncGenerator[Gateway]:
    settings = {
        "use": "bedrock",
        "region": "us-east-1",
        "base_url": upstream.url,
        "api_key": "not-a-real-key",
    }
    config = {
        "gateway": {"database": f"sqlite:///{tmp_path / 'gateway.db'}"},
        "provider": {"aws": settings},
    }
    made = Gateway.from_dict(config, plugins=[Bedrock])
    async with made.lifespan():
        yield made


async def ask(gateway: Gateway, path: str, **body: Any) -> str:
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True, **body}
    async with gateway.client as client:
        response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return response.text


def data(text: str) -> list[Any]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def test_openai_over_converse(gateway: Gateway, upstream: FakeUpstream) -> None:
    stream = b"".join(CALL_IN_PIECES)
    upstream.reply(Reply(headers=STREAM, parts=[stream[:100], stream[100:333], stream[333:]]))
    text = await ask(gateway, "/v1/chat/completions", model=NOVA, stream_options={"include_usage": True})
    assert text.rstrip().endswith("data: [DONE]")
    chunks = data(text)
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    deltas = [choice["delta"] for choice in choices]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Grüß Gott"
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("t1", "look")
    assert "".join(call["function"].get("arguments", "") for call in calls) == '{"a":1}'
    assert choices[-1]["finish_reason"] == "tool_calls"
    assert chunks[-1]["usage"]["total_tokens"] == 7
    assert {chunk["model"] for chunk in chunks} != {""}


async def test_an_error_before_anything_was_sent_has_a_status(
    gateway: Gateway, upstream: FakeUpstream
) -> None:
    upstream.reply(Reply(headers=STREAM, parts=[CALL_IN_PIECES[0] + REFUSED]))
    body = {"model": NOVA, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with gateway.client as client:
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 429
    error = response.json()["error"]
    assert (error["message"], error["code"]) == ("Slow down.", "throttlingException")


async def test_anthropic_over_invoke(gateway: Gateway, upstream: FakeUpstream) -> None:
    events: list[Any] = [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 3}}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Grüß"},
            "new": 1,
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    upstream.reply(Reply(headers=STREAM, parts=[chunk(one) for one in events]))
    text = await ask(gateway, "/v1/messages", model=CLAUDE, max_tokens=9)
    assert data(text) == events
    assert text.startswith("event: message_start\n")
    assert upstream.requests[0].path.endswith("/invoke-with-response-stream")


async def test_anthropic_over_converse(gateway: Gateway, upstream: FakeUpstream) -> None:
    upstream.reply(Reply(headers=STREAM, parts=CALL_IN_PIECES))
    text = await ask(gateway, "/v1/messages", model=NOVA, max_tokens=9)
    assert upstream.requests[0].path.endswith("/converse-stream")
    deltas = [one["delta"] for one in data(text) if one["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Grüß Gott"
    assert "".join(delta.get("partial_json", "") for delta in deltas) == '{"a":1}'
    assert data(text)[-1]["type"] == "message_stop"


async def test_gemini_over_converse(gateway: Gateway, upstream: FakeUpstream) -> None:
    upstream.reply(Reply(headers=STREAM, parts=CALL_IN_PIECES))
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    async with gateway.client as client:
        response = await client.post(f"/v1beta/models/{NOVA}:streamGenerateContent?alt=sse", json=body)
    assert response.status_code == 200, response.text
    parts = [
        part
        for one in data(response.text)
        for candidate in one.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]
    assert "".join(part.get("text", "") for part in parts) == "Grüß Gott"
    assert [part["functionCall"]["args"] for part in parts if "functionCall" in part] == [{"a": 1}]
