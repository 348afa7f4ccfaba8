"""What the Responses API can say comes back from it as it was."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.errors import InvalidRequest
from gateway.wire import StreamCut, WireError
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Document,
    Event,
    Image,
    Message,
    Part,
    Refusal,
    ResponseFormat,
    TokenLogprob,
    Tool,
    ToolResult,
)
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed
from gateway.wire.file_names import usual_name
from gateway.wire.openai_responses import ResponsesCodec

from ..canonical_strategies import requests
from ..canonical_streams import answers, gathered, packets, streams
from ..spoken import OPENAI_RESPONSES as SAYS

CODEC = ResponsesCodec()
SLOWLY = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def normal(request: ChatRequest) -> ChatRequest:
    """Fill in what the API demands, and leave out what says nothing."""
    shape = request.response_format
    if isinstance(shape, ResponseFormat) and shape.name is None:
        shape = msgspec.structs.replace(shape, name="answer")
    messages = tuple(
        Message(role=message.role, parts=tuple(map(_normal, message.parts))) for message in request.messages
    )
    return msgspec.structs.replace(
        request,
        messages=messages,
        response_format=shape,
        tools=tuple(map(_strict, request.tools)),
        store=None if request.store else False,  # what is to be stored, the gateway stores
        logprobs=request.logprobs or None,
        top_logprobs=request.top_logprobs if request.logprobs else None,
    )


def _strict(tool: Any) -> Any:
    return (
        tool
        if not isinstance(tool, Tool) or tool.custom
        else msgspec.structs.replace(tool, strict=bool(tool.strict), cache=None)
    )


def _normal(part: Part) -> Part:
    match part:
        case Image(detail=None):
            return msgspec.structs.replace(part, detail="auto")
        case ToolResult():
            return msgspec.structs.replace(part, content=tuple(map(_normal, part.content)))
        case Document(name=None) if part.source.file is None:
            return msgspec.structs.replace(part, name=usual_name(part.source.media_type or ""))
        case _:
            return part


def as_asked(request: Any) -> ChatRequest:
    """Take the client's own fields off, which are for the response to repeat."""
    fields = {name: getattr(request, name) for name in ChatRequest.__struct_fields__}
    return ChatRequest(**fields)


def through(request: ChatRequest) -> ChatRequest:
    losses = Losses("openai", CODEC.names, may_drop=["cache_control"])
    body = CODEC.encode_request(request, request.model, losses)
    losses.check()
    again = CODEC.decode_request(body, model=request.model, stream=request.stream)
    return msgspec.structs.replace(as_asked(again), shows_usage=request.shows_usage)


@SLOWLY
@given(requests(SAYS))
def test_requests_come_back(request: ChatRequest) -> None:
    assert through(request) == normal(request)


def normal_answer(answer: ChatAnswer, id: str) -> ChatAnswer:
    """Give it the response's own id, the bytes of its tokens, and the API's word for a refusal."""
    (choice,) = answer.choices
    stop = choice.stop
    if stop == "stop" and any(isinstance(part, Refusal) for part in choice.parts):
        stop = "refusal"
    weighed = choice.logprobs and tuple(map(_spelt, choice.logprobs))
    choice = msgspec.structs.replace(choice, stop=stop, logprobs=weighed)
    return msgspec.structs.replace(
        answer, id=id, choices=(choice,), service_tier=answer.service_tier or "default"
    )


def _spelt(token: TokenLogprob) -> TokenLogprob:
    return msgspec.structs.replace(token, bytes=token.bytes or tuple(token.token.encode()))


@SLOWLY
@given(answers(SAYS), requests(SAYS))
def test_answers_come_back_and_are_what_the_sdk_expects(answer: ChatAnswer, request: ChatRequest) -> None:
    body = CODEC.encode_answer(answer, request)
    Response.model_validate_json(body)
    again = CODEC.decode_answer(body)
    assert again == normal_answer(answer, again.id)


def encoded(events: list[Event]) -> bytes:
    request = CODEC.decode_request(b'{"model":"m","input":"Hello","stream":true}', model="m", stream=True)
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
    again = gathered(whole)
    assert again == normal_answer(gathered(events), again.id)
    assert decoded(data.draw(packets(stream))) == whole


@SLOWLY
@given(streams(SAYS), st.data())
def test_a_stream_that_is_cut_is_never_whole(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(events)
    end = stream.rindex(b"event: response.")
    with pytest.raises(StreamCut):
        decoded([stream[: data.draw(st.integers(0, end))]])


@SLOWLY
@given(streams(SAYS))
def test_every_event_is_one_the_sdk_knows(events: list[Event]) -> None:
    """Numbered without a gap, named as typed, and in agreement with the response at the end."""
    written = encoded(events).split(b"\n\n")[:-1]
    items: dict[int, Any] = {}
    last: Any = None
    for number, event in enumerate(written):
        name, _, data = event.partition(b"\ndata: ")
        last = json.loads(data)
        assert name == b"event: " + last["type"].encode()
        assert last["sequence_number"] == number
        EVENTS.validate_json(data)
        if last["type"] == "response.output_item.done":
            items[last["output_index"]] = last["item"]
    assert last["response"]["output"] == [items[place] for place in sorted(items)]


_WORDS = [
    "type",
    "message",
    "role",
    "user",
    "content",
    "input",
    "output",
    "id",
    "item",
    "delta",
    "response",
    "input_text",
    "text",
    "function_call",
    "reasoning",
    "summary",
    "arguments",
    "call_id",
    "name",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "output_index",
    "response.completed",
    "response.output_text.delta",
    "annotation",
    "logprobs",
    "error",
    "status",
    "tools",
    "tool_choice",
    "instructions",
    "image_url",
    "input_image",
    "usage",
    "created_at",
    "model",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5),
    max_leaves=20,
)
_BODIES = st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=6) | _JSON


@settings(deadline=None, max_examples=200)
@given(_BODIES, st.binary(max_size=5))
def test_nothing_crashes_it(value: Any, garbage: bytes) -> None:
    for body in (json.dumps(value).encode(), json.dumps(value).encode() + garbage):
        with contextlib.suppress(WireError, StreamFailed):
            CODEC.decode_answer(body)
        with contextlib.suppress(InvalidRequest):
            CODEC.decode_request(body, model="m", stream=False)
        decoder = CODEC.decoder()
        decoder.feed(b"data: " + body + b"\n\n")
        assert decoder.failure is None or isinstance(decoder.failure, WireError | StreamFailed)
