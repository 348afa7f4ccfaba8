"""Streamed answers of Cohere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.canonical import (
    Citation,
    CitationDelta,
    End,
    Event,
    LogprobsDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    TokenLogprob,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.cohere_chat import CohereChatCodec
from gateway.wire.dialect import StreamCut, StreamFailed, WireError

from ..canonical_streams import cut, gathered, packets

HERE = Path(__file__).parent
CODEC = CohereChatCodec()


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n".encode()


def read(*chunks: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        if decoder.failure is not None:
            raise decoder.failure
    return [*events, *decoder.end()]


def test_tool_calls() -> None:
    assert read((HERE / "tools.sse").read_bytes()) == [
        Start(id="29f14a5a-11de-4cae-9800-25e4747408ea", model=""),
        ThinkingDelta("I will ask"),
        ThinkingDelta(" in Oslo."),
        ThinkingEnd(id="tool_plan", origin="cohere.chat"),
        ToolCallStart(0, "weather_x1", "weather"),
        ToolCallDelta(0, '{"city":'),
        ToolCallDelta(0, ' "Oslo"}'),
        ToolCallStart(1, "time_x2", "time"),
        ToolCallDelta(1, "{}"),
        Stop("tool_calls"),
        UsageReport(Usage(prompt_tokens=37, completion_tokens=28)),
        End(),
    ]


def test_thoughts_text_logprobs_and_citations() -> None:
    text = "Grüße 🌧"
    assert read((HERE / "text.sse").read_bytes()) == [
        Start(id="c7b1", model=""),
        ThinkingDelta("Hm — "),
        TextDelta(text),
        LogprobsDelta((TokenLogprob(token=text, logprob=-1.5, bytes=tuple(text.encode())),)),
        CitationDelta(Citation(url="https://files.example.com/a", title="A", start=0, end=5, document=0)),
        Stop("length"),
        UsageReport(Usage(prompt_tokens=5, completion_tokens=7, cached_read_tokens=5, searches=1)),
        End(),
    ]


@pytest.mark.parametrize("name", ["tools.sse", "text.sse"])
@given(data=st.data())
def test_any_split_gives_the_same_events(name: str, data: st.DataObject) -> None:
    stream = (HERE / name).read_bytes()
    assert read(*data.draw(packets(stream))) == read(stream)


@pytest.mark.parametrize("name", ["tools.sse", "text.sse"])
@given(data=st.data())
def test_a_stream_without_its_last_event_is_cut(name: str, data: st.DataObject) -> None:
    stream = (HERE / name).read_bytes()
    whole = stream.index(b"event: message-end")
    stop = data.draw(st.integers(0, whole))
    with pytest.raises(StreamCut):
        read(stream[:stop])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (event("message-end", delta={"finish_reason": "ERROR", "error": "out of memory"}), "out of memory"),
        (event("message-end", delta={"finish_reason": "TIMEOUT"}), "too long"),
        (b'data: {"message": "internal error"}\n\n', "internal error"),
    ],
)
def test_an_error_inside_the_stream_comes_after_what_was_whole(bad: bytes, said: str) -> None:
    decoder = CODEC.decoder()
    first = event("message-start", id="a") + event(
        "content-delta", delta={"message": {"content": {"text": "Hi"}}}
    )
    assert decoder.feed(first + bad) == [Start(id="a", model=""), TextDelta("Hi")]
    assert isinstance(decoder.failure, StreamFailed)
    assert said in decoder.failure.message


@pytest.mark.parametrize(
    "bad",
    [
        b"data: not JSON\n\n",
        b"data: [1]\n\n",
        event("content-delta", delta={"message": {"content": {"text": 1}}}),
        event("tool-call-start", delta={"message": {"tool_calls": {"id": "x", "function": {"name": ""}}}}),
        event(
            "tool-call-delta", index=3, delta={"message": {"tool_calls": {"function": {"arguments": "{"}}}}
        ),
    ],
)
def test_what_is_malformed_is_a_wire_error(bad: bytes) -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(event("message-start", id="a") + bad) == [Start(id="a", model="")]
    assert isinstance(decoder.failure, WireError)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
arguments = st.dictionaries(words, words, max_size=2)
calls = st.lists(st.tuples(st.sampled_from(["weather", "time"]), arguments), max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a whole answer as Cohere writes it."""
    message: dict[str, Any] = {"role": "assistant"}
    made = draw(calls)
    if made:
        message["tool_plan"] = draw(words)
        message["tool_calls"] = [
            {
                "id": f"c{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(fields)},
            }
            for number, (name, fields) in enumerate(made)
        ]
    else:
        thoughts = [{"type": "thinking", "thinking": draw(words)}] if draw(st.booleans()) else []
        message["content"] = [*thoughts, {"type": "text", "text": draw(words)}]
    reason = "TOOL_CALL" if made else draw(st.sampled_from(["COMPLETE", "MAX_TOKENS", "STOP_SEQUENCE"]))
    usage = {
        "tokens": {"input_tokens": draw(st.integers(0, 999)), "output_tokens": draw(st.integers(0, 999))}
    }
    return {"id": "a", "finish_reason": reason, "message": message, "usage": usage}


def streamed(answer: dict[str, Any], data: st.DataObject) -> Iterator[bytes]:
    """Yield the events in which Cohere would stream that answer."""

    def pieces(text: str) -> list[str]:
        return cut(text, data.draw(st.lists(st.integers(0, len(text)), max_size=3)))

    message = answer["message"]
    yield event("message-start", id=answer["id"], delta={"message": {"role": "assistant", "content": []}})
    for text in pieces(message.get("tool_plan", "")):
        yield event("tool-plan-delta", delta={"message": {"tool_plan": text}})
    for index, block in enumerate(message.get("content", ())):
        kind = block["type"]
        yield event("content-start", index=index, delta={"message": {"content": {"type": kind, kind: ""}}})
        for text in pieces(block[kind]):
            yield event("content-delta", index=index, delta={"message": {"content": {kind: text}}})
        yield event("content-end", index=index)
    for index, call in enumerate(message.get("tool_calls", ())):
        start = {**call, "function": {**call["function"], "arguments": ""}}
        yield event("tool-call-start", index=index, delta={"message": {"tool_calls": start}})
        for text in pieces(call["function"]["arguments"]):
            delta = {"message": {"tool_calls": {"function": {"arguments": text}}}}
            yield event("tool-call-delta", index=index, delta=delta)
        yield event("tool-call-end", index=index)
    yield event("message-end", delta={"finish_reason": answer["finish_reason"], "usage": answer["usage"]})


@given(st.data())
def test_a_stream_amounts_to_the_whole_answer(data: st.DataObject) -> None:
    answer = data.draw(answers())
    stream = b"".join(streamed(answer, data))
    events = read(*data.draw(packets(stream)))
    assert gathered(events) == CODEC.decode_answer(json.dumps(answer).encode())


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_bytes_crash_the_decoder(chunks: list[bytes]) -> None:
    decoder = CODEC.decoder()
    for chunk in chunks:
        decoder.feed(b"data: " + chunk + b"\n\n")
        if decoder.failure is not None:
            assert isinstance(decoder.failure, WireError | StreamFailed)
            break
