"""Whole or streamed, and however it is cut: AIGNE's clients make the same of an answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given

from gateway.wire.aigne_chat import AigneChatCodec
from gateway.wire.canonical import ChatAnswer, ChatRequest, End, Event, Stop, ToolCallDelta, ToolCallStart

from ..canonical_strategies import Features
from ..canonical_streams import gathered, streams

CODEC = AigneChatCodec()
ASKED = ChatRequest(dialect="aigne.chat", model="a-model", messages=(), stream=True)
SAYS = Features(
    dialect="aigne.chat",
    refusals=True,
    thinking=True,
    usage=frozenset({"cached_read_tokens", "cached_write_tokens"}),
)
COMMON = ("text", "thoughts", "toolCalls", "files", "usage", "model", "finishReason")


def put_together(stream: bytes) -> dict[str, Any]:
    """What a client makes of a stream: texts add up, all else is replaced."""
    whole: dict[str, Any] = {}
    for event in stream.decode().split("\n\n"):
        if event:
            delta = json.loads(event.removeprefix("data: "))["delta"]
            for name, text in delta.get("text", {}).items():
                whole[name] = whole.get(name, "") + text
            whole |= delta.get("json", {})
    return whole


def first_choice(answer: ChatAnswer) -> ChatAnswer:
    """AIGNE knows no other."""
    return msgspec.structs.replace(answer, choices=answer.choices[:1])


@given(streams(SAYS))
def test_a_stream_is_what_the_whole_answer_is(events: list[Event]) -> None:
    encoder = CODEC.encoder(ASKED)
    streamed = put_together(b"".join(encoder.encode([event]) for event in events))
    whole = json.loads(CODEC.encode_answer(first_choice(gathered(events)), ASKED))
    assert {name: streamed.get(name) for name in COMMON} == {name: whole.get(name) for name in COMMON}
    assert streamed == put_together(CODEC.encoder(ASKED).encode(events)), "wherever it is cut"


def test_arguments_that_are_no_object_stay_text() -> None:
    events = [
        ToolCallStart(index=0, id="c", name="f"),
        ToolCallDelta(index=0, arguments='{"half":'),
        Stop("length"),
        End(),
    ]
    (call,) = put_together(CODEC.encoder(ASKED).encode(events))["toolCalls"]
    assert call["function"] == {"name": "f", "arguments": '{"half":'}
