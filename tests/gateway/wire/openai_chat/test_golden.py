"""Bodies and streams after OpenAI's reference: read, and written again as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import exchange
from gateway.wire.canonical import (
    ChatRequest,
    Document,
    End,
    Event,
    Foreign,
    Image,
    Start,
    Stop,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolResult,
    UsageReport,
)
from gateway.wire.codec import Losses
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_streams import packets

CODEC = OpenAIChatCodec()
GOLDEN = Path(__file__).parent / "golden"
REQUEST = (GOLDEN / "request.json").read_bytes()
ANSWER = (GOLDEN / "answer.json").read_bytes()
STREAM = (GOLDEN / "stream.sse").read_bytes()
EVENTS: list[Event] = [
    Start("chatcmpl-abc", "gpt-5.5", 1_760_000_000),
    TextDelta("Grüße"),
    TextDelta(" 🌧️"),
    ToolCallStart(0, "call_1", "forecast"),
    ToolCallDelta(0, '{"city":'),
    ToolCallStart(1, "call_2", "note", custom=True),
    ToolCallDelta(1, "umbrella"),
    ToolCallDelta(0, '"Oslo"}'),
    Stop("tool_calls"),
    UsageReport(Usage(prompt_tokens=20, completion_tokens=30, cached_read_tokens=8, reasoning_tokens=6)),
    End(),
]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "wizard", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant"}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        "messages[0].content[0].file.file_data",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}]},
        "messages[0].tool_calls[0].function",
    ),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
    (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}}},
        "tool_choice.allowed_tools.tools",
    ),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "poem"}}, "response_format"),
    ({"temperature": "hot"}, "temperature"),
]


def request(**changes: Any) -> ChatRequest:
    return CODEC.decode_request(
        json.dumps({**json.loads(REQUEST), **changes}).encode(), model="gpt-5.5", stream=False
    )


def test_a_request_with_everything_comes_back() -> None:
    losses = Losses("openai", CODEC.names)
    again = json.loads(CODEC.encode_request(request(), "gpt-5.5", losses))
    losses.check()
    expected = json.loads(REQUEST)
    assert again == expected


def test_a_request_is_understood() -> None:
    read = request()
    user = read.messages[1].parts
    assert [part.source.data for part in user if isinstance(part, Image)] == [None, "aGVsbG8="]
    assert [part.source.file for part in user if isinstance(part, Document)] == [None, "file-123"]
    results = read.messages[3].parts
    assert [(r.id, r.name, r.custom) for r in results if isinstance(r, ToolResult)] == [
        ("call_a", "look", False),
        ("call_b", "sketch", True),
    ]
    assert read.tool_choice == ToolChoice(mode="required", names=("look", "sketch"))
    assert read.tools[-1] == Foreign(
        dialect="openai.chat", type="web_search_options", value={"search_context_size": "low"}
    )
    assert set(read.extra) == {
        "prediction",
        "safety_identifier",
        "prompt_cache_retention",
    }


def test_the_older_names_mean_the_same() -> None:
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 5}
    ).encode()
    assert CODEC.decode_request(body, model="m", stream=False).max_tokens == 5
    without = {**json.loads(REQUEST), "user": None}
    read = CODEC.decode_request(json.dumps(without).encode(), model="m", stream=False)
    assert (read.user, "safety_identifier" in read.extra) == ("hash-of-ann", False)


def test_an_answer_comes_back() -> None:
    answer = CODEC.decode_answer(ANSWER)
    assert json.loads(CODEC.encode_answer(answer, request())) == json.loads(ANSWER)
    assert CODEC.usage(answer, request()) == Usage(
        prompt_tokens=20,
        completion_tokens=30,
        cached_read_tokens=8,
        cached_write_tokens=4,
        reasoning_tokens=6,
        audio_prompt_tokens=2,
        audio_completion_tokens=1,
    )


@settings(deadline=None)
@given(packets(STREAM))
def test_a_stream_is_understood_however_it_is_cut(chunks: list[bytes]) -> None:
    decoder = CODEC.decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert [*events, *decoder.end()] == EVENTS
    assert decoder.failure is None


@pytest.mark.parametrize("shows", [True, False])
def test_a_stream_is_written_as_openai_writes_it(shows: bool) -> None:
    options = {"include_usage": shows}
    encoder = CODEC.encoder(request(stream_options=options))
    written = b"".join(encoder.encode([event]) for event in EVENTS)
    if shows:
        assert written == STREAM
    else:
        events = [event for event in STREAM.split(b"\n\n") if b'"usage":{' not in event]
        assert written == b"\n\n".join(events).replace(b',"usage":null', b"")


@settings(deadline=None, max_examples=20)
@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1, max_size=3))
def test_what_nobody_knows_yet_passes(unknown: dict[str, int]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a", "new": unknown}], "newer": unknown}
    same = exchange(make_call(body), "openai.chat", provider="p")
    assert json.loads(same.prepare("other")) == {**body, "model": "other"}
    answer = json.dumps({**json.loads(ANSWER), "newest": unknown}).encode()
    assert same.whole(answer)[0] is answer
    event = b"data: " + json.dumps({"choices": [{"delta": {"new": unknown}}]}).encode() + b"\n\n"
    assert same.reader().feed(event) == event


@pytest.mark.parametrize(("changes", "param"), BAD)
def test_bad_requests_name_what_is_wrong(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(**changes)
    assert (caught.value.status, (caught.value.param or "").partition(".type")[0]) == (400, param)
