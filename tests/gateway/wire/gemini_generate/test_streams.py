"""Ends, failures and unusual events of Gemini's stream, to whoever translates it and whoever passes it through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.types import Usage
from gateway.wire.canonical import (
    AudioDelta,
    ChatRequest,
    Citation,
    CitationDelta,
    End,
    Event,
    MediaDelta,
    Start,
    Stop,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.gemini_generate import GeminiGenerateCodec, GeminiReader

CODEC = GeminiGenerateCodec()
ASKED = ChatRequest(dialect="gemini.generate", model="m", messages=())
ERROR = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}


def event(*parts: dict[str, Any], **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, **more}
    return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n"


def decode(data: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    events = list(decoder.feed(data))
    assert decoder.failure is None
    return [*events, *decoder.end()]


def failure(data: bytes) -> tuple[Exception, Exception]:
    """Return what the decoder and the reader say, be it at once or at the end."""
    found: list[Exception] = []
    for one in (CODEC.decoder(), GeminiReader(b"{}")):
        one.feed(data)
        if one.failure is None:
            with pytest.raises((StreamCut, StreamFailed)) as caught:
                one.end()
            found.append(caught.value)
        else:
            found.append(one.failure)
    return found[0], found[1]


@pytest.mark.parametrize(
    "data",
    [
        b"data: " + json.dumps(ERROR).encode() + b"\n\n",
        json.dumps([ERROR]).encode() + b"\n\n",
        json.dumps(ERROR, indent=2).encode(),
    ],
    ids=["event", "list", "bare"],
)
def test_errors_in_the_stream_keep_their_words(data: bytes) -> None:
    for error in failure(event({"text": "One"}) + data):
        assert isinstance(error, StreamFailed)
        assert (error.message, error.code, error.status) == ("Overloaded.", "UNAVAILABLE", 503)


@pytest.mark.parametrize(
    "data", [b"", event({"text": "One"}), event({"text": "One"}, finishReason="STOP") + b"data: {"]
)
def test_without_a_reason_to_stop_it_is_cut(data: bytes) -> None:
    assert all(isinstance(error, StreamCut) for error in failure(data))


@pytest.mark.parametrize("data", [b"data: {nonsense\n\n", b"data: [1]\n\n"])
def test_what_is_no_event_is_an_error(data: bytes) -> None:
    for error in failure(data):
        assert isinstance(error, WireError)


def test_what_came_before_a_failure_is_kept() -> None:
    data = event({"text": "One"})
    reader = GeminiReader(b"{}")
    assert reader.feed(data + b"data: {nonsense\n\n") == data
    assert reader.failure is not None
    decoder = CODEC.decoder()
    assert decoder.feed(data + b"data: {nonsense\n\n") == [Start("", ""), TextDelta("One")]


def test_a_blocked_prompt_is_filtered_content() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}
    data = b"data: " + json.dumps(blocked).encode() + b"\n\n"
    assert decode(data) == [
        Start("", ""),
        Stop("content_filter"),
        UsageReport(Usage(prompt_tokens=5)),
        End(),
    ]
    reader = GeminiReader(b"{}")
    assert reader.feed(data) + reader.end() == data
    answer = CODEC.decode_answer(json.dumps(blocked).encode())
    assert answer.choices[0].stop == "content_filter"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("SOMETHING_NEW", "error"),
    ],
)
def test_reasons_to_stop(finish: str, reason: str) -> None:
    (stop,) = [one for one in decode(event({"text": "x"}, finishReason=finish)) if isinstance(one, Stop)]
    assert stop.reason == reason


def test_pictures_and_citations() -> None:
    blob = {"inlineData": {"mimeType": "image/png", "data": "-_8"}}
    web = {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}]}
    grounding = {**web, "groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [0, 9]}]}
    events = decode(event({"text": "äb"}, blob) + event(finishReason="STOP", groundingMetadata=grounding))
    cited = Citation(url="https://a.example", title="A", start=0, end=2)
    assert events[1:4] == [TextDelta("äb"), MediaDelta("image/png", "+/8="), CitationDelta(cited)]
    written = CODEC.encoder(ASKED).encode(events)
    assert CitationDelta(cited) in decode(written)


def last(events: list[Event]) -> dict[str, Any]:
    written = CODEC.encoder(ASKED).encode([Start("r", "m"), *events, End()])
    return json.loads(written[:-2].split(b"\n\n")[-1].removeprefix(b"data: "))


def test_a_call_that_is_no_json_is_malformed() -> None:
    call: list[Event] = [ToolCallStart(0, "c", "f"), ToolCallDelta(0, '{"a": ')]
    (candidate,) = last([*call, Stop("tool_calls")])["candidates"]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    (candidate,) = last([*call, Stop("length")])["candidates"]
    assert candidate["finishReason"] == "MAX_TOKENS", "it was cut short"


def test_interleaved_calls_are_told_whole_and_in_order() -> None:
    events: list[Event] = [
        ToolCallStart(0, "a", "f"),
        ToolCallStart(1, "b", "g"),
        ToolCallDelta(1, "{}"),
        ToolCallDelta(0, '{"x":'),
        ToolCallDelta(0, "1}"),
        Stop("tool_calls"),
    ]
    (candidate,) = last(events)["candidates"]
    assert [part["functionCall"] for part in candidate["content"]["parts"]] == [
        {"id": "a", "name": "f", "args": {"x": 1}},
        {"id": "b", "name": "g", "args": {}},
    ]


def test_sound_comes_with_its_words() -> None:
    written = CODEC.encoder(ASKED).encode([Start("r", "m"), AudioDelta(data="AAAA", transcript="Hey")])
    texts, sound = [
        json.loads(one[6:])["candidates"][0]["content"]["parts"][0] for one in written[:-2].split(b"\n\n")
    ]
    assert texts == {"text": "Hey"}
    assert sound["inlineData"]["data"] == "AAAA"
    assert sound["inlineData"]["mimeType"].startswith("audio/L16")
