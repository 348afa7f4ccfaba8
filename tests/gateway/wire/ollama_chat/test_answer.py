"""Whole and streamed answers of Ollama."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    End,
    Event,
    LogprobsDelta,
    Message,
    Start,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.ollama_chat import OllamaChatCodec

from ..canonical_streams import cut, gathered, packets

HERE = Path(__file__).parent
CODEC = OllamaChatCodec()
STREAM = (HERE / "stream.ndjson").read_bytes()
AT = "2026-11-21T10:15:30Z"
SECONDS = 1_795_256_130


def read(*chunks: bytes) -> list[Event]:
    decoder = CODEC.decoder()
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
        if decoder.failure is not None:
            raise decoder.failure
    return [*events, *decoder.end()]


def test_a_whole_answer() -> None:
    assert CODEC.decode_answer((HERE / "answer.json").read_bytes()) == ChatAnswer(
        id="ollama-20261121101530123456789",
        model="qwen3:8b",
        created=SECONDS,
        choices=(
            Choice(
                parts=(
                    Thinking(text="Which city?"),
                    Text(text="Let me look."),
                    ToolCall(id="call_9x", name="weather", arguments='{"city": "Ålesund", "days": [1, 2]}'),
                    ToolCall(id="call_20261121101530123456789_1", name="time", arguments="{}"),
                ),
                stop="tool_calls",
                logprobs=(
                    TokenLogprob(
                        token="Let",
                        logprob=-0.5,
                        bytes=(76, 101, 116),
                        top=(TokenLogprob(token="I", logprob=-1.5),),
                    ),
                ),
            ),
        ),
        usage=Usage(prompt_tokens=26, completion_tokens=282),
    )


def test_a_stream() -> None:
    assert read(STREAM) == [
        Start(id="ollama-202611211015301", model="qwen3:8b", created=SECONDS),
        ThinkingDelta("Hm — "),
        TextDelta("Grüße "),
        TextDelta("🌧"),
        LogprobsDelta((TokenLogprob(token="🌧", logprob=-0.5),)),
        ToolCallStart(0, "call_202611211015301_0", "weather"),
        ToolCallDelta(0, '{"city":"Oslo"}'),
        ToolCallStart(1, "call_7", "time"),
        ToolCallDelta(1, "{}"),
        Stop("tool_calls"),
        UsageReport(Usage(prompt_tokens=11, completion_tokens=18)),
        End(),
    ]


@given(st.data())
def test_any_split_gives_the_same_events(data: st.DataObject) -> None:
    assert read(*data.draw(packets(STREAM))) == read(STREAM)


@given(st.integers(0, STREAM.rindex(b'{"model"')))
def test_a_stream_that_is_not_done_is_cut(length: int) -> None:
    with pytest.raises(StreamCut):
        read(STREAM[:length])


def test_a_stream_cut_within_its_last_line_is_cut() -> None:
    with pytest.raises(StreamCut):
        read(STREAM[:-5])


def test_the_last_line_needs_no_line_end() -> None:
    assert read(STREAM.rstrip()) == read(STREAM)


def line(done: bool = False, **fields: Any) -> bytes:
    return (
        json.dumps({"model": "m", "created_at": AT, "done": done, **fields}, ensure_ascii=False).encode()
        + b"\n"
    )


def test_an_error_inside_the_stream_comes_after_what_was_whole() -> None:
    decoder = CODEC.decoder()
    events = decoder.feed(line(message={"content": "Hi"}) + b'{"error":"out of memory","status":500}\n')
    assert events[-1] == TextDelta("Hi")
    assert isinstance(decoder.failure, StreamFailed)
    assert (decoder.failure.message, decoder.failure.status) == ("out of memory", 500)


@pytest.mark.parametrize("bad", [b"not JSON\n", b"[]\n", b'{"message": 1}\n', b'{"done": "yes"}\n'])
def test_what_is_malformed_is_a_wire_error(bad: bytes) -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(line(message={"content": "Hi"}) + bad)[-1] == TextDelta("Hi")
    assert isinstance(decoder.failure, WireError)


def test_a_line_may_not_be_endless() -> None:
    decoder = CODEC.decoder()
    for _ in range(9):
        decoder.feed(b"x" * 1024 * 1024)
    assert isinstance(decoder.failure, WireError)


@pytest.mark.parametrize(
    ("said", "meant"), [("stop", "stop"), ("length", "length"), (None, "stop"), ("load", "stop")]
)
def test_why_it_ended(said: str | None, meant: str) -> None:
    answer = CODEC.decode_answer(line(done=True, message={"content": "Hi"}, done_reason=said))
    assert answer.choices[0].stop == meant


def test_a_time_that_cannot_be_read_is_no_time() -> None:
    assert CODEC.decode_answer(line(done=True, message={}, created_at="soon")).created == 0


@pytest.mark.parametrize("body", [b"{}", b'{"done": true}', b'{"message": {"content": "Hi"}}', b"nonsense"])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode_answer(body)


def test_usage_is_estimated_where_none_is_told() -> None:
    request = ChatRequest(
        dialect="openai.chat", model="m", messages=(Message(role="user", parts=(Text(text="12345678"),)),)
    )
    answer = CODEC.decode_answer(line(done=True, message={"content": "1234"}))
    assert CODEC.usage(answer, request) == Usage(prompt_tokens=2, completion_tokens=1, estimated=True)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a whole answer as Ollama writes it."""
    message: dict[str, Any] = {"role": "assistant", "content": draw(words)}
    if draw(st.booleans()):
        message["thinking"] = draw(words)
    made = draw(st.lists(st.dictionaries(words, words, max_size=2), max_size=3))
    if made:
        message["tool_calls"] = [{"function": {"name": "weather", "arguments": fields}} for fields in made]
    return {
        "model": "m",
        "created_at": AT,
        "message": message,
        "done": True,
        "done_reason": draw(st.sampled_from(["stop", "length"])),
        "prompt_eval_count": draw(st.integers(0, 999)),
        "eval_count": draw(st.integers(0, 999)),
    }


def streamed(answer: dict[str, Any], data: st.DataObject) -> Iterator[bytes]:
    """Yield the lines in which Ollama would stream that answer."""
    message = answer["message"]
    for kind in ("thinking", "content"):
        text: str = message.get(kind, "")
        for piece in cut(text, data.draw(st.lists(st.integers(0, len(text)), max_size=3))):
            yield line(message={"role": "assistant", "content": "", kind: piece})
    for call in message.get("tool_calls", ()):
        yield line(message={"role": "assistant", "content": "", "tool_calls": [call]})
    yield json.dumps({**answer, "message": {"role": "assistant", "content": ""}}).encode() + b"\n"


@given(st.data())
def test_a_stream_amounts_to_the_whole_answer(data: st.DataObject) -> None:
    answer = data.draw(answers())
    stream = b"".join(streamed(answer, data))
    whole = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()
    found, expected = gathered(read(*data.draw(packets(stream)))), CODEC.decode_answer(whole)
    assert _plain(found) == _plain(expected)


def _plain(answer: ChatAnswer) -> list[object]:
    """Arguments as values: their spaces are the server's affair."""
    (choice,) = answer.choices
    parts = [
        (part.id, part.name, json.loads(part.arguments)) if isinstance(part, ToolCall) else part
        for part in choice.parts
    ]
    return [answer.id, answer.usage, choice.stop, parts]


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_bytes_crash_the_decoder(chunks: list[bytes]) -> None:
    decoder = CODEC.decoder()
    for chunk in chunks:
        decoder.feed(chunk)
        if decoder.failure is not None:
            return
    with contextlib.suppress(StreamCut):
        decoder.end()
