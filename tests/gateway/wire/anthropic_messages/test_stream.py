"""Streams as Anthropic documents them, and those of others in its grammar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import StreamCut
from gateway.wire.anthropic_messages import AnthropicMessages, AnthropicMessagesCodec
from gateway.wire.canonical import (
    ChatRequest,
    Citation,
    CitationDelta,
    End,
    Event,
    ForeignEvent,
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
from gateway.wire.dialect import StreamFailed

CODEC = AnthropicMessagesCodec()
EVERYTHING = (Path(__file__).parent / "everything.sse").read_bytes()
DIALECT = "anthropic.messages"
REQUEST = ChatRequest(
    dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="Hi there"),)),)
)


def read(stream: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    events = [*decoder.feed(stream)]
    assert decoder.failure is None
    return [*events, *decoder.end()]


def written(*events: Event) -> list[dict[str, Any]]:
    lines = CODEC.encoder(REQUEST).encode(events).decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_everything_that_a_stream_can_hold() -> None:
    events = read(EVERYTHING)
    foreign = [event for event in events if isinstance(event, ForeignEvent)]
    assert [event.value["type"] for event in foreign] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]
    usage = Usage(prompt_tokens=30, completion_tokens=89, cached_read_tokens=5, reasoning_tokens=9)
    assert [event for event in events if not isinstance(event, ForeignEvent)] == [
        Start(
            "msg_01B",
            "claude-opus-4-8",
            usage=Usage(prompt_tokens=30, completion_tokens=1, cached_read_tokens=5),
        ),
        ThinkingDelta("Two cities, "),
        ThinkingDelta("two calls."),
        ThinkingEnd(signature="c2lnbmF0dXJl", origin=DIALECT),
        ThinkingEnd(encrypted="aGlkZGVu", origin=DIALECT),
        TextDelta("Ich prüfe 東京"),
        CitationDelta(Citation(url="https://example.com/w", title="Weather", cited="Rain")),
        ToolCallStart(0, "toolu_01", "get_weather"),
        ToolCallDelta(0, '{"city":'),
        ToolCallDelta(0, ' "Rome"}'),
        ToolCallStart(1, "toolu_02", "now"),
        ToolCallDelta(1, "{}"),
        Stop("tool_calls"),
        UsageReport(usage),
        End(),
    ]


def test_cut_between_any_two_bytes_it_is_the_same() -> None:
    whole = read(EVERYTHING)
    for place in range(1, len(EVERYTHING)):
        decoder = CODEC.decoder()
        events = [*decoder.feed(EVERYTHING[:place]), *decoder.feed(EVERYTHING[place:]), *decoder.end()]
        assert events == whole


def test_written_again_it_says_the_same() -> None:
    again = CODEC.encoder(REQUEST).encode(read(EVERYTHING))
    assert read(again) == read(EVERYTHING)


def test_what_passes_through_is_untouched_and_counted() -> None:
    reader = AnthropicMessages().reader(make_call())
    assert reader.feed(EVERYTHING) == EVERYTHING
    assert reader.finished
    assert reader.usage == Usage(
        prompt_tokens=30, completion_tokens=89, cached_read_tokens=5, reasoning_tokens=9
    )


def test_a_stream_that_broke_off_is_estimated_on_what_its_beginning_told() -> None:
    reader = AnthropicMessages().reader(make_call())
    reader.feed(
        EVERYTHING[
            : EVERYTHING.index(
                b'event: content_block_start\ndata: {"type": "content_block_start", "index": 3'
            )
        ]
    )
    with pytest.raises(StreamCut):
        reader.end()
    assert reader.usage is None
    assert reader.estimate(make_call()) == Usage(
        prompt_tokens=30, completion_tokens=9, cached_read_tokens=5, estimated=True
    )


@pytest.mark.parametrize(
    ("kind", "status"), [("overloaded_error", 529), ("invalid_request_error", 400), ("new_error", None)]
)
def test_an_error_inside_a_stream_comes_after_what_was_before_it(kind: str, status: int | None) -> None:
    event = json.dumps({"type": "error", "error": {"type": kind, "message": "No."}})
    start = EVERYTHING[: EVERYTHING.index(b"event: content_block_start")]
    stream = start + b"event: error\ndata: " + event.encode() + b"\n\n"
    decoder, reader = CODEC.decoder(), AnthropicMessages().reader(make_call())
    assert len(decoder.feed(stream)) == 1
    assert reader.feed(stream) == start
    for failure in (decoder.failure, reader.failure):
        assert isinstance(failure, StreamFailed)
        assert (failure.message, failure.type, failure.status) == ("No.", kind, status)


def test_tool_calls_that_are_filled_in_turns_keep_their_blocks() -> None:
    events = written(
        Start("a", "m"),
        ToolCallStart(0, "x", "f"),
        ToolCallStart(1, "y", "g"),
        ToolCallDelta(1, '{"b":'),
        ToolCallDelta(0, "{}"),
        ToolCallDelta(1, "1}"),
        Stop("tool_calls"),
        End(),
    )
    deltas = [(e["index"], e["delta"]["partial_json"]) for e in events if e["type"] == "content_block_delta"]
    assert deltas == [(1, '{"b":'), (0, "{}"), (1, "1}")]
    assert sorted(e["index"] for e in events if e["type"] == "content_block_stop") == [0, 1]


def test_ids_of_calls_have_the_characters_that_anthropic_allows() -> None:
    given = "functions.look:0"  # as Kimi writes them
    events = written(Start("a", "m"), ToolCallStart(0, given, "look"), ToolCallDelta(0, "{}"), End())
    assert events[1]["content_block"]["id"] == "functions_look_0"


def test_without_usage_it_is_estimated() -> None:
    events = written(Start("a", "m"), TextDelta("four" * 3), Stop("length"), End())
    assert events[0]["message"]["usage"]["input_tokens"] == 2
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"
    assert events[-2]["usage"]["output_tokens"] == 3


def test_thoughts_of_another_dialect_come_back_to_it() -> None:
    thought = ThinkingEnd(signature="abc:def", id="rs_1", origin="openai.responses")
    events = read(
        CODEC.encoder(REQUEST).encode([Start("a", "m"), ThinkingDelta("Hm"), thought, Stop("stop"), End()])
    )
    assert events[2] == thought
    body = {
        "max_tokens": 5,
        "messages": [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "c2ln"}]}
        ],
    }
    (message,) = CODEC.decode_request(json.dumps(body).encode(), model="m", stream=False).messages
    assert getattr(message.parts[0], "origin", None) == DIALECT


def test_an_error_event_is_named() -> None:
    error = ProviderError("Too much.", provider="p", status=529)
    error.request_id = "req_1"
    name, data, *_ = AnthropicMessages().error_event(error).split(b"\n")
    assert name == b"event: error"
    assert json.loads(data.removeprefix(b"data: ")) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Too much."},
        "request_id": "req_1",
    }
