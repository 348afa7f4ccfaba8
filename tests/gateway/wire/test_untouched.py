"""Streams that pass as they are: whatever line ends and packets a provider chooses."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.testing.fakes import make_call
from gateway.types import Call, Dialect
from gateway.wire import WIRES, StreamFailed, StreamReader, WireError

STREAMS: dict[Dialect, tuple[bytes, ...]] = {
    "openai.chat": (
        b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}',
        b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
        b"data: [DONE]",
    ),
    "openai.responses": (
        b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "Hi"}',
        b'event: response.completed\ndata: {"type": "response.completed", "response": {"output": []}}',
    ),
    "anthropic.messages": (
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}',
        b'event: message_stop\ndata: {"type": "message_stop"}',
    ),
    "cohere.chat": (
        b'event: content-delta\ndata: {"type": "content-delta", "delta": {"message": {"content": {"text": "Hi"}}}}',
        b'event: message-end\ndata: {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}',
    ),
    "gemini.generate": (
        b'data: {"candidates": [{"index": 0, "content": {"parts": [{"text": "Hi"}]}}]}',
        b'data: {"candidates": [{"index": 0, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}',
    ),
}


def call(dialect: Dialect) -> Call:
    return msgspec.structs.replace(make_call(), dialect=dialect)


def reader(dialect: Dialect) -> StreamReader:
    return WIRES[dialect].reader(call(dialect))


@pytest.mark.parametrize(
    "gap", [b"\n\n", b"\n\n\n", b"\n\n\n\n\n", b"\r\n\r\n\r\n", b"\n\n: still there\n\n"]
)
@pytest.mark.parametrize("dialect", STREAMS)
def test_whatever_is_between_events_passes(dialect: Dialect, gap: bytes) -> None:
    stream = b"".join(event + gap for event in STREAMS[dialect])
    whole = reader(dialect)
    assert whole.feed(stream) == stream.replace(b"\r\n", b"\n")
    assert whole.failure is None
    assert whole.end() == b""
    bytewise = reader(dialect)
    passed = b"".join(bytewise.feed(stream[place : place + 1]) for place in range(len(stream)))
    assert passed.strip() == stream.replace(b"\r\n", b"\n").strip()
    assert bytewise.finished
    assert bytewise.estimate(call(dialect)) == whole.estimate(call(dialect))


@pytest.mark.parametrize("dialect", STREAMS)
@settings(deadline=None, max_examples=60)
@given(
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    times=st.integers(1, 3),
    gap=st.sampled_from([b"\n\n", b"\n\n\n", b"\n\n\n\n"]),
    places=st.lists(st.integers(0, 2000), max_size=8),
)
def test_any_line_end_and_any_cut_pass_the_same(
    dialect: Dialect, line_end: bytes, times: int, gap: bytes, places: list[int]
) -> None:
    plain = b"".join(event + gap for event in STREAMS[dialect] for _ in range(times))
    sent = plain.replace(b"\n", line_end)
    whole, cut = reader(dialect), reader(dialect)
    expected = whole.feed(plain)
    ends = sorted({place % (len(sent) + 1) for place in places} | {0, len(sent)})
    passed = b"".join(cut.feed(sent[a:b]) for a, b in itertools.pairwise(ends))
    assert passed.strip() == expected.strip()
    assert (cut.finished, cut.usage, cut.failure) == (whole.finished, whole.usage, None)


@pytest.mark.parametrize("dialect", STREAMS)
def test_an_event_that_ends_in_cr_leaves_the_next_line_ends_alone(dialect: Dialect) -> None:
    one, two = STREAMS[dialect][0].replace(b"\n", b"\r"), STREAMS[dialect][1]
    reading = reader(dialect)
    passed = [reading.feed(chunk) for chunk in (one + b"\r\r", two + b"\n\n", b"\n\n")]
    assert passed == [one.replace(b"\r", b"\n") + b"\n\n", two + b"\n\n", b"\n\n"]


@pytest.mark.parametrize("dialect", STREAMS)
@settings(deadline=None, max_examples=60)
@given(
    chunks=st.lists(
        st.sampled_from([b"\n", b"\r", b"data: ", b"{}", b'{"type": 1}', b"[DONE]", b":", b"x"]), max_size=12
    )
)
def test_no_bytes_crash_a_reader(dialect: Dialect, chunks: list[bytes]) -> None:
    reading = reader(dialect)
    for chunk in chunks:
        seen = reading.feed(chunk)
        assert seen == b"" or seen.endswith(b"\n\n")
        if reading.failure is not None:
            assert isinstance(reading.failure, WireError | StreamFailed)
            break
