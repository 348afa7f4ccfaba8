"""Streams of ConverseStream, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.aws_event_stream import frame
from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.canonical import (
    ChatRequest,
    Citation,
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    MediaDelta,
    Message,
    Start,
    Stop,
    Text,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError

from ..canonical_strategies import Features
from ..canonical_streams import gathered, packets, streams

CODEC = BedrockConverse()
REQUEST = ChatRequest(
    dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="Hi"),)),)
)
FEATURES = Features(
    dialect="bedrock.converse",
    thinking=True,
    encrypted=True,
    stops=("stop", "length", "stop_sequence"),
    usage=frozenset({"cached_read_tokens", "cached_write_tokens"}),
)
USAGE = {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30, "cacheReadInputTokens": 5}
SAFETY = {"actionReason": "none"}


def event(name: str, **payload: Any) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({**payload, "p": "abcdefgh"}, ensure_ascii=False).encode())


def delta(index: int, **fields: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=fields)


def exception(name: str, payload: bytes) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, payload)


STOPPED = event("messageStop", stopReason="end_turn")
METADATA = event("metadata", usage=USAGE, metrics={"latencyMs": 5}, trace={"guardrail": SAFETY})
HELLO = event("messageStart", role="assistant") + delta(0, text="Grüß ") + delta(0, text="Gott")

GOLDEN = b"".join(
    [
        event("messageStart", role="assistant"),
        delta(0, reasoningContent={"text": "Let me "}),
        delta(0, reasoningContent={"text": "see."}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        event("contentBlockStop", contentBlockIndex=0),
        delta(1, reasoningContent={"redactedContent": "aGlkZGVu"}),
        event("contentBlockStop", contentBlockIndex=1),
        delta(2, text="Sunny"),
        delta(2, citation={"title": "Report", "location": {"web": {"url": "https://example.com/"}}}),
        event("contentBlockStop", contentBlockIndex=2),
        event("contentBlockStart", contentBlockIndex=3, start={"toolUse": {"toolUseId": "t1", "name": "a"}}),
        delta(3, toolUse={"input": ""}),
        delta(3, toolUse={"input": '{"x":'}),
        delta(3, toolUse={"input": "1}"}),
        event("contentBlockStop", contentBlockIndex=3),
        event("contentBlockStart", contentBlockIndex=4, start={"toolUse": {"toolUseId": "t2", "name": "b"}}),
        event("contentBlockStop", contentBlockIndex=4),
        event("contentBlockStart", contentBlockIndex=5, start={"image": {"format": "jpeg"}}),
        delta(5, image={"source": {"bytes": "aW1n"}}),
        event("contentBlockStop", contentBlockIndex=5),
        delta(6, somethingNew={}),
        event("somethingNew"),
        event("messageStop", stopReason="tool_use"),
        METADATA,
    ]
)


def read(packets: Sequence[bytes]) -> list[Event]:
    decoder = CODEC.decoder()
    events = [one for packet in packets for one in decoder.feed(packet)]
    assert decoder.failure is None
    return [*events, *decoder.end()]


def test_golden() -> None:
    start, *events = read([GOLDEN])
    assert isinstance(start, Start)
    assert start.id
    assert events == [
        ThinkingDelta("Let me "),
        ThinkingDelta("see."),
        ThinkingEnd(signature="c2ln", origin="bedrock.converse"),
        ThinkingEnd(encrypted="aGlkZGVu", origin="bedrock.converse"),
        TextDelta("Sunny"),
        CitationDelta(Citation(url="https://example.com/", title="Report")),
        ToolCallStart(0, "t1", "a"),
        ToolCallDelta(0, '{"x":'),
        ToolCallDelta(0, "1}"),
        ToolCallStart(1, "t2", "b"),
        ToolCallDelta(1, "{}"),
        MediaDelta("image/jpeg", "aW1n"),
        ForeignEvent(
            "bedrock.converse", {"contentBlockIndex": 6, "delta": {"somethingNew": {}}, "p": "abcdefgh"}
        ),
        Stop("tool_calls", safety=SAFETY),
        UsageReport(Usage(prompt_tokens=15, completion_tokens=20, cached_read_tokens=5)),
        End(),
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cut_anywhere(data: st.DataObject) -> None:
    assert read(data.draw(packets(GOLDEN)))[1:] == read([GOLDEN])[1:]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams(FEATURES), st.data())
def test_round_trip(events: list[Event], data: st.DataObject) -> None:
    encoder = CODEC.encoder(REQUEST)
    written = b"".join(encoder.encode([event]) for event in events)
    given, back = gathered(events), gathered(read(data.draw(packets(written))))
    assert (back.choices, back.usage) == (given.choices, given.usage)


def test_a_picture_and_a_citation_and_back() -> None:
    citation = Citation(title="T", cited="c", document=1, location=("char", 2, 3))
    events: list[Event] = [
        Start("id", "m"),
        TextDelta("Look:"),
        CitationDelta(citation),
        MediaDelta("image/png", "aW1n"),
        MediaDelta("image/x-unknown", "aW1n"),
        Stop("content_filter", safety=SAFETY),
        End(),
    ]
    _, *back = read([CODEC.encoder(REQUEST).encode(events)])
    assert back == [*events[1:4], events[5], End()]


def test_a_stop_without_metadata_is_an_end() -> None:
    assert read([HELLO + STOPPED])[-2:] == [Stop("stop"), End()]


@pytest.mark.parametrize("stream", [b"", HELLO, HELLO + STOPPED + METADATA[:-1], HELLO + STOPPED[:-1]])
def test_a_cut(stream: bytes) -> None:
    decoder = CODEC.decoder()
    decoder.feed(stream)
    with pytest.raises(StreamCut):
        decoder.end()


@pytest.mark.parametrize(
    ("bad", "message", "code", "status"),
    [
        (
            exception("throttlingException", b'{"message": "Too many tokens"}'),
            "Too many tokens",
            "throttlingException",
            429,
        ),
        (
            exception(
                "modelStreamErrorException", b'{"originalMessage": "overloaded", "originalStatusCode": 529}'
            ),
            "overloaded",
            "modelStreamErrorException",
            529,
        ),
        (
            exception("modelStreamErrorException", b'{"originalStatusCode": 200}'),
            "Bedrock reported modelStreamErrorException in its stream",
            "modelStreamErrorException",
            424,
        ),
        (
            frame({":message-type": "error", ":error-code": "Gone", ":error-message": "x"}, b""),
            "x",
            "Gone",
            None,
        ),
    ],
)
def test_errors_inside_the_stream(bad: bytes, message: str, code: str, status: int | None) -> None:
    decoder = CODEC.decoder()
    events = decoder.feed(HELLO + bad + STOPPED)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Grüß ", "Gott"]
    failure = decoder.failure
    assert isinstance(failure, StreamFailed)
    assert (failure.message, failure.code, failure.status) == (message, code, status)


@pytest.mark.parametrize(
    "bad",
    [
        event("contentBlockDelta", delta={}),
        frame({":event-type": "contentBlockDelta"}, b"{"),
        exception("throttlingException", b"oops"),
        METADATA,
        b"\0" * 16,
    ],
)
def test_what_cannot_be_read(bad: bytes) -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(HELLO + bad)
    assert isinstance(decoder.failure, WireError)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(["messageStart", "contentBlockStart", "contentBlockDelta"]), st.binary())
    )
)
def test_no_payload_crashes_it(frames: list[tuple[str, bytes]]) -> None:
    decoder = CODEC.decoder()
    for name, payload in frames:
        decoder.feed(frame({":event-type": name, ":message-type": "event"}, payload))
        if decoder.failure is not None:
            assert isinstance(decoder.failure, WireError)
            return
