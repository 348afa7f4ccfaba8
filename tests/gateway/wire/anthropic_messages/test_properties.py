"""What Anthropic's messages can say comes back from them as it was."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.wire import StreamCut, WireError
from gateway.wire.anthropic_messages import AnthropicMessages, AnthropicMessagesCodec
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    Event,
    Message,
    Reasoning,
    Tool,
    ToolChoice,
)
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed

from ..canonical_strategies import requests
from ..canonical_streams import answers, gathered, packets, streams
from ..spoken import ANTHROPIC_MESSAGES as SAYS

CODEC = AnthropicMessagesCodec()
SLOWLY = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def normal(request: ChatRequest) -> ChatRequest:
    """Fill in what the dialect demands, and leave out what it takes for granted."""
    changes: dict[str, Any] = {}
    choice = request.tool_choice
    if request.parallel_tool_calls is False and request.tools:
        if choice is None:  # it is said together with the choice of tools
            changes["tool_choice"] = ToolChoice(mode="auto")
        elif choice.mode == "none":
            changes["parallel_tool_calls"] = None
    else:
        changes["parallel_tool_calls"] = None
    if request.max_tokens is None:
        changes["max_tokens"] = 4_096
    shape = request.response_format
    if shape is not None:
        changes["response_format"] = msgspec.structs.replace(shape, strict=None)
    if request.reasoning is not None and request.reasoning.effort == "none":
        changes["reasoning"] = Reasoning(budget=0)
    changes["tools"] = tuple(
        msgspec.structs.replace(tool, strict=tool.strict or None)
        for tool in request.tools
        if isinstance(tool, Tool)
    )
    return msgspec.structs.replace(request, **changes)


def through(request: ChatRequest) -> ChatRequest:
    """Write a request for a provider, and read it as a client's."""
    losses = Losses("anthropic", CODEC.names)
    body = CODEC.encode_request(request, request.model, losses)
    losses.check()
    head = AnthropicMessages().read(body)
    return CODEC.decode_request(body, model=head.model, stream=head.stream)


@SLOWLY
@given(requests(SAYS))
def test_requests_come_back(request: ChatRequest) -> None:
    assert through(request) == normal(request)


@SLOWLY
@given(answers(SAYS), requests(SAYS))
def test_answers_come_back(answer: ChatAnswer, request: ChatRequest) -> None:
    again = CODEC.decode_answer(CODEC.encode_answer(answer, request))
    assert again == msgspec.structs.replace(answer, created=0)


def encoded(events: list[Event]) -> bytes:
    request = ChatRequest(dialect="anthropic.messages", model="m", messages=())
    encoder = CODEC.encoder(request)
    return b"".join(encoder.encode([event]) for event in events)


def decoded(chunks: list[bytes]) -> list[Event]:
    decoder = CODEC.decoder()
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        if decoder.failure:
            raise decoder.failure
    return [*events, *decoder.end()]


@SLOWLY
@given(streams(SAYS), st.data())
def test_streams_come_back_however_they_are_cut(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(events)
    whole = decoded([stream])
    assert gathered(whole) == msgspec.structs.replace(gathered(events), created=0)
    assert decoded(data.draw(packets(stream))) == whole


@SLOWLY
@given(streams(SAYS), st.data())
def test_what_passes_through_is_what_came_however_it_is_cut(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(events)
    reader = AnthropicMessages().reader(make_call())
    passed = b"".join(reader.feed(packet) for packet in data.draw(packets(stream)))
    assert passed + reader.end() == stream
    assert reader.usage == gathered(events).usage


@SLOWLY
@given(streams(SAYS), st.data())
def test_a_stream_that_is_cut_is_never_whole(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(events)
    cut = stream[: data.draw(st.integers(0, len(stream) - 1))]
    with pytest.raises(StreamCut):
        decoded([cut] if cut else [])
    reader = AnthropicMessages().reader(make_call())
    reader.feed(cut)
    with pytest.raises(StreamCut):
        reader.end()


@SLOWLY
@given(streams(SAYS))
def test_every_event_is_as_the_grammar_allows(events: list[Event]) -> None:
    *written, nothing = encoded(events).split(b"\n\n")
    assert nothing == b""
    is_open: int | None = None
    count = 0
    names: list[str] = []
    for event in written:
        name, data = event.split(b"\n")
        fields = json.loads(data.removeprefix(b"data: "))
        names.append(fields["type"])
        assert name == b"event: " + fields["type"].encode()
        if fields["type"] == "content_block_start":
            assert is_open is None
            is_open = fields["index"]
            assert is_open == count
            count += 1
        elif fields["type"] == "content_block_delta":
            assert fields["index"] == is_open
        elif fields["type"] == "content_block_stop":
            assert fields["index"] == is_open
            is_open = None
    assert is_open is None
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]


_WORDS = [
    "cache_control",
    "citations",
    "content",
    "content_block",
    "data",
    "delta",
    "document",
    "error",
    "ephemeral",
    "id",
    "image",
    "index",
    "input",
    "input_schema",
    "is_error",
    "message",
    "messages",
    "model",
    "name",
    "output_config",
    "partial_json",
    "role",
    "schema",
    "signature",
    "source",
    "stop_reason",
    "stop_sequences",
    "system",
    "text",
    "thinking",
    "tool",
    "tool_choice",
    "tool_result",
    "tool_use",
    "tool_use_id",
    "tools",
    "type",
    "url",
    "usage",
    "user",
    "assistant",
    "base64",
    "file",
    "file_id",
    "metadata",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "text_delta",
    "input_json_delta",
    "citations_delta",
    "context_management",
    "edits",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=6) | _JSON, st.binary(max_size=5))
def test_nothing_crashes_it(value: Any, garbage: bytes) -> None:
    for body in (json.dumps(value).encode(), json.dumps(value).encode() + garbage):
        with contextlib.suppress(WireError):
            CODEC.decode_answer(body)
        with contextlib.suppress(WireError):
            AnthropicMessages().usage(body)
        with contextlib.suppress(InvalidRequest):
            CODEC.decode_request(body, model="m", stream=False)
        for reader in (CODEC.decoder(), AnthropicMessages().reader(make_call())):
            reader.feed(b"event: x\ndata: " + body + b"\n\n")
            assert reader.failure is None or isinstance(reader.failure, WireError | StreamFailed)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=5), max_size=4))
def test_no_block_crashes_it(blocks: list[dict[str, Any]]) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": blocks}], "max_tokens": 1}).encode()
    with contextlib.suppress(InvalidRequest):
        request = CODEC.decode_request(body, model="m", stream=False)
        CODEC.encode_request(request, "m", Losses("anthropic", CODEC.names))


def test_an_empty_answer_is_an_answer() -> None:
    answer = ChatAnswer(id="a", model="m", choices=(Choice(stop="stop"),))
    request = ChatRequest(dialect="openai.chat", model="m", messages=(Message(role="user", parts=()),))
    assert json.loads(CODEC.encode_answer(answer, request))["content"] == []
