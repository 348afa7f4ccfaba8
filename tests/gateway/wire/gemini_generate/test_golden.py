"""Bodies as Google's documentation shows them, in our own words: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import Call, Principal, Usage
from gateway.wire import CODECS, WIRES, StreamReader, exchange
from gateway.wire.canonical import (
    Citation,
    End,
    Start,
    Stop,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.codec import Losses
from gateway.wire.gemini_generate import GeminiGenerateCodec

GOLDEN = Path(__file__).parent / "golden"
CODEC = GeminiGenerateCodec()
STREAM = (GOLDEN / "stream.sse").read_bytes()
EVENTS = [
    Start("abc-123", "gemini-3.5-flash"),
    ThinkingDelta("Thinking of bridges."),
    TextDelta("Brücken über"),
    ToolCallStart(0, "call_abc-123_0", "count", signature="c2ln"),
    ToolCallDelta(0, '{"what":"bridges"}'),
    ToolCallStart(1, "call_abc-123_1", "count"),
    ToolCallDelta(1, '{"what":"boats"}'),
    Stop("tool_calls"),
    UsageReport(Usage(prompt_tokens=8, completion_tokens=13, reasoning_tokens=4)),
    End(),
]


def call(body: bytes, dialect: str = "gemini.generate", *, stream: bool = False) -> Call:
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="chat",
        dialect=dialect,
        model="gemini-3.5-flash",
        stream=stream,
        shows_usage=True,
        body=body,
        principal=Principal(tenant="default", authenticator="test"),
        received_at=0.0,
    )


def test_a_request_comes_back_in_normal_form() -> None:
    body = (GOLDEN / "request.json").read_bytes()
    request = CODEC.decode_request(body, model="gemini-3.5-flash", stream=False)
    losses = Losses("gemini", CODEC.names)
    written = json.loads(CODEC.encode_request(request, "gemini-3.5-flash", losses))
    losses.check()
    normal = json.loads((GOLDEN / "request.normal.json").read_bytes())
    assert written == normal
    parameters = written["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
    assert list(parameters["properties"]) == ["unit", "place_name"], "in the order that was asked for"


def test_openai_is_told_what_it_understands_and_refused_the_rest() -> None:
    body = (GOLDEN / "request.json").read_bytes()
    request = CODEC.decode_request(body, model="gemini-3.5-flash", stream=False)
    losses = Losses("openai", CODEC.names, may_drop=frozenset({"*"}))
    openai = CODECS["openai.chat"]
    sent = json.loads(openai.encode_request(request, "gpt-x", losses))
    tool_calls = next(one["tool_calls"] for one in sent["messages"] if one["role"] == "assistant")
    results = [one for one in sent["messages"] if one["role"] == "tool"]
    assert [one["id"] for one in tool_calls] == [one["tool_call_id"] for one in results]
    assert {"safetySettings", "generationConfig.mediaResolution"} <= {*losses._refused, *losses.dropped}


def test_an_answer_is_read() -> None:
    answer = CODEC.decode_answer((GOLDEN / "answer.json").read_bytes())
    assert answer.usage == Usage(
        prompt_tokens=23,
        completion_tokens=10,
        cached_read_tokens=5,
        reasoning_tokens=4,
        audio_prompt_tokens=8,
        searches=1,
    )
    (choice,) = answer.choices
    text = choice.parts[2]
    assert isinstance(text, Text)
    (citation,) = text.citations
    assert citation == Citation(url="https://weather.example/isle", title="Weather", start=5, end=10)
    assert text.text[5:10] == "21 °C", "positions in bytes have become positions in characters"
    assert (choice.stop, text.signature) == ("stop", "c2ln")


def test_where_both_sides_speak_gemini_bytes_are_untouched() -> None:
    body = (GOLDEN / "request.json").read_bytes()
    turn = exchange(call(body), "gemini.generate", provider="gemini")
    assert turn.prepare("another-model") == body
    answer = (GOLDEN / "answer.json").read_bytes()
    seen, usage = turn.whole(answer)
    assert seen == answer
    assert b"somethingNew" in seen
    assert (usage.prompt_tokens, usage.completion_tokens, usage.searches) == (23, 10, 1)


def read(reader: StreamReader, pieces: list[bytes]) -> bytes:
    seen = b"".join(reader.feed(piece) for piece in pieces)
    assert reader.failure is None
    return seen + reader.end()


@given(st.sets(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_is_read_however_it_is_cut(places: set[int]) -> None:
    pieces = [STREAM[a:b] for a, b in zip([0, *sorted(places)], [*sorted(places), len(STREAM)], strict=True)]
    decoder = CODEC.decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert [*events, *decoder.end()] == EVENTS
    reader = WIRES["gemini.generate"].reader(call(b'{"contents":[]}', stream=True))
    assert read(reader, pieces) == STREAM.replace(b"\r\n", b"\n")
    assert reader.usage == Usage(prompt_tokens=8, completion_tokens=13, reasoning_tokens=4)
    assert reader.finished


def test_a_stream_reaches_an_openai_client() -> None:
    asked: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    turn = exchange(
        call(json.dumps(asked).encode(), "openai.chat", stream=True), "gemini.generate", provider="gemini"
    )
    turn.prepare("gemini-3.5-flash")
    seen = read(turn.reader(), [STREAM])
    *events, done = [event.removeprefix(b"data: ") for event in seen.split(b"\n\n") if event]
    assert done == b"[DONE]"
    chunks = [json.loads(event) for event in events]
    calls = [one for c in chunks for d in c["choices"] for one in d["delta"].get("tool_calls") or ()]
    assert [(one["index"], one["id"]) for one in calls if one.get("id")] == [
        (0, "call_abc-123_0"),
        (1, "call_abc-123_1"),
    ]
    assert chunks[-1]["usage"]["total_tokens"] == 21
    assert [d["finish_reason"] for c in chunks for d in c["choices"] if d["finish_reason"]] == ["tool_calls"]


@pytest.mark.parametrize("count", [2, 3])
def test_a_reader_waits_for_every_candidate(count: int) -> None:
    asked = json.dumps({"contents": [], "generationConfig": {"candidateCount": count}}).encode()
    reader = WIRES["gemini.generate"].reader(call(asked, stream=True))
    for index in range(count):
        assert not reader.finished
        candidate: dict[str, Any] = {"index": index, "content": {}, "finishReason": "STOP"}
        event: dict[str, Any] = {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1}}
        reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert reader.finished
