"""Requests to Converse, read again."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.canonical import (
    ChatRequest,
    Document,
    Part,
    Text,
    ToolResult,
)
from gateway.wire.codec import Losses

from ..canonical_strategies import Features, requests

CODEC = BedrockConverse()
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
FEATURES = Features(
    dialect="bedrock.converse",
    data_images=True,
    audio=("audio/mpeg", "audio/wav"),
    video=("video/mp4", "video/quicktime"),
    documents=("application/pdf", "text/csv"),
    text_documents=True,
    caches=(None, "5m", "1h"),
    thinking=True,
    encrypted=True,
    result_errors=True,
    result_images=True,
    schemas=True,
    schema_names=True,
    fields=frozenset({"max_tokens", "temperature", "top_p", "stop"}),
)


def encode(
    request: ChatRequest, model: str = CLAUDE, *, drop: frozenset[str] = frozenset()
) -> dict[str, Any]:
    losses = Losses("aws", {}, may_drop=drop)
    body = CODEC.encode_request(request, model, losses)
    losses.check()
    return json.loads(body)


def normal_part(part: Part) -> Part:
    """Drop the name of a document, and put cache hints within a result after it."""
    match part:
        case Document():
            return msgspec.structs.replace(part, name=None)
        case ToolResult():
            hints = [inner.cache for inner in part.content if isinstance(inner, Text) and inner.cache]
            content = tuple(
                msgspec.structs.replace(inner, cache=None) if isinstance(inner, Text) else inner
                for inner in part.content
            )
            return msgspec.structs.replace(part, content=content, cache=part.cache or next(iter(hints), None))
        case _:
            return part


def normal(request: ChatRequest) -> ChatRequest:
    """Drop what says nothing, and the names of documents, which Converse always wants."""
    choice = request.tool_choice
    forbidden = choice is not None and choice.mode == "none"
    messages = tuple(
        msgspec.structs.replace(message, parts=tuple(map(normal_part, message.parts)))
        for message in request.messages
    )
    return msgspec.structs.replace(
        request,
        messages=messages,
        tools=() if forbidden else request.tools,
        tool_choice=None if forbidden or not request.tools else choice,
    )


def calls_in(request: ChatRequest) -> bool:
    return any(message.role == "tool" for message in request.messages)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests(FEATURES))
def test_round_trip(request: ChatRequest) -> None:
    forbids = request.tool_choice is not None and request.tool_choice.mode == "none"
    if forbids and calls_in(request):
        return  # refused, see above
    losses = Losses("aws", {})
    body = CODEC.encode_request(request, "a-model", losses)
    losses.check()
    assert normal(CODEC.decode_request(body, model="a-model", stream=False)) == normal(request)


def test_what_only_converse_can_say_survives() -> None:
    body = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"guardContent": {"text": {"text": "Is it so?"}}},
                    {
                        "image": {
                            "format": "png",
                            "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}},
                        }
                    },
                    {"text": "Hi"},
                ],
            }
        ],
        "system": [{"guardContent": {"text": {"text": "x"}}}],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        "performanceConfig": {"latency": "optimized"},
        "somethingNew": {"a": 1},
    }
    request = CODEC.decode_request(json.dumps(body).encode(), model="m", stream=True)
    del body["somethingNew"]
    assert encode(request, "m", drop=frozenset({"somethingNew"})) == body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"[]", None),
        (b'{"messages": [{"role": "robot", "content": []}]}', "messages"),
        (b'{"messages": [{"role": "user", "content": [{"text": 3}]}]}', "messages"),
        (b'{"inferenceConfig": {"maxTokens": "x"}}', "inferenceConfig.maxTokens"),
        (
            b'{"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}}',
            "outputConfig",
        ),
    ],
)
def test_bad_requests(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CODEC.decode_request(body, model="m", stream=False)
    assert caught.value.param == param


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(msgspec.json.encode))
def test_no_bytes_crash_it(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        CODEC.decode_request(body, model="m", stream=False)
