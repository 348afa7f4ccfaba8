"""What OpenAI's chat completions can say comes back from them as it was."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire import StreamCut, WireError
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Document,
    Event,
    Message,
    Part,
    ResponseFormat,
)
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed
from gateway.wire.file_names import usual_name
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_strategies import requests
from ..canonical_streams import answers, gathered, packets, streams
from ..spoken import OPENAI_CHAT as SAYS

CODEC = OpenAIChatCodec()
SLOWLY = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def normal(request: ChatRequest) -> ChatRequest:
    """Fill in what the dialect demands, and leave out what is to be said of tools only."""
    changes: dict[str, Any] = {}
    if not request.tools:
        changes["parallel_tool_calls"] = None
    shape = request.response_format
    if isinstance(shape, ResponseFormat) and shape.name is None:
        changes["response_format"] = msgspec.structs.replace(shape, name="answer")
    messages = tuple(
        Message(role=message.role, name=message.name, parts=tuple(map(_normal, message.parts)))
        for message in request.messages
    )
    return msgspec.structs.replace(request, messages=messages, **changes)


def _normal(part: Part) -> Part:
    if not isinstance(part, Document):
        return part
    if part.source.file is not None:
        return Document(source=part.source, cache=part.cache)
    return msgspec.structs.replace(part, name=part.name or usual_name(part.source.media_type or ""))


def through(request: ChatRequest) -> ChatRequest:
    """Write a request for a provider, and read it as a client's."""
    losses = Losses("openai", CODEC.names)
    body = CODEC.encode_request(request, request.model, losses)
    losses.check()
    again = CODEC.decode_request(body, model=request.model, stream=request.stream)
    return msgspec.structs.replace(again, shows_usage=request.shows_usage)


@SLOWLY
@given(requests(SAYS))
def test_requests_come_back(request: ChatRequest) -> None:
    assert through(request) == normal(request)


@SLOWLY
@given(answers(SAYS), requests(SAYS))
def test_answers_come_back(answer: ChatAnswer, request: ChatRequest) -> None:
    assert CODEC.decode_answer(CODEC.encode_answer(answer, request)) == answer


def encoded(events: list[Event], *, shows_usage: bool = True) -> bytes:
    request = ChatRequest(dialect="openai.chat", model="m", messages=(), shows_usage=shows_usage)
    return CODEC.encoder(request).encode(events)


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
    assert gathered(whole) == gathered(events)
    assert decoded(data.draw(packets(stream))) == whole


@SLOWLY
@given(streams(SAYS), st.data())
def test_a_stream_that_is_cut_is_never_whole(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(events, shows_usage=False)
    end = stream.index(b'"finish_reason":"')
    with pytest.raises(StreamCut):
        decoded([stream[: data.draw(st.integers(0, end))]])


@SLOWLY
@given(streams(SAYS))
def test_every_chunk_is_as_openai_writes_it(events: list[Event]) -> None:
    *chunks, last = encoded(events, shows_usage=False).split(b"\n\n")[:-1]
    assert last == b"data: [DONE]"
    begun: set[int] = set()
    ended: set[int] = set()
    for chunk in chunks:
        fields = json.loads(chunk.removeprefix(b"data: "))
        assert fields["object"] == "chat.completion.chunk"
        assert "usage" not in fields
        (choice,) = fields["choices"]
        index = choice["index"]
        assert index not in ended
        assert (choice["delta"].get("role") == "assistant") == (index not in begun)
        begun.add(index)
        if choice["finish_reason"]:
            ended.add(index)
            assert choice["delta"] == {}
    assert begun == ended


_WORDS = [
    "arguments",
    "choices",
    "code",
    "content",
    "created",
    "custom",
    "data",
    "delta",
    "error",
    "finish_reason",
    "function",
    "function_call",
    "id",
    "image_url",
    "images",
    "index",
    "input_audio",
    "logprobs",
    "message",
    "messages",
    "model",
    "name",
    "reasoning_content",
    "reasoning_details",
    "response_format",
    "role",
    "stop",
    "text",
    "tool_calls",
    "tool_choice",
    "tools",
    "type",
    "url",
    "usage",
    "user",
    "assistant",
    "tool",
    "image_url",
    "auto",
    "stop",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=6) | _JSON, st.binary(max_size=5))
def test_nothing_crashes_it(value: Any, garbage: bytes) -> None:
    for body in (json.dumps(value).encode(), json.dumps(value).encode() + garbage):
        with contextlib.suppress(WireError):
            CODEC.decode_answer(body)
        with contextlib.suppress(InvalidRequest):
            CODEC.decode_request(body, model="m", stream=False)
        decoder = CODEC.decoder()
        decoder.feed(b"data: " + body + b"\n\n")
        assert decoder.failure is None or isinstance(decoder.failure, WireError | StreamFailed)
