"""Responses that pass through: what is read of them, and that their bytes stay as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, ProviderError
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import StreamCut, StreamFailed, WireError
from gateway.wire.openai_responses import OpenAIResponses

from ..canonical_streams import packets

WIRE = OpenAIResponses()
FOLDER = Path(__file__).parent
STREAM = (FOLDER / "stream.sse").read_bytes()
CALL = make_call({"model": "m", "input": "Hello there"}, dialect="openai.responses")


def test_the_head_of_a_request_is_read() -> None:
    head = WIRE.read(b'{"model":"m","input":[{"anything":1}],"stream":true}')
    assert (head.model, head.stream, head.shows_usage) == ("m", True, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"input":"x"}', "model"),
        (b'{"model":"","input":"x"}', "model"),
        (b'{"model":"m","input":[]}', "input"),
        (b'{"model":"m","input":5}', "input"),
        (b'{"model":"m","stream":"yes"}', "stream"),
    ],
)
def test_a_bad_request_is_named(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        WIRE.read(body)
    assert refused.value.param == param


def test_only_the_model_changes_on_the_way_to_the_provider() -> None:
    assert WIRE.prepare(CALL, "m") is CALL.body
    sent = json.loads(WIRE.prepare(CALL, "other"))
    assert sent == {"model": "other", "input": "Hello there"}


def test_usage_of_a_whole_response() -> None:
    usage = WIRE.usage((FOLDER / "answer.json").read_bytes())
    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_write_tokens, usage.reasoning_tokens) == (40, 8, 12)
    assert WIRE.usage(b'{"output":[]}') is None
    assert WIRE.estimate(CALL, b'{"output":[{"text":"12345678"}]}') == Usage(
        prompt_tokens=3, completion_tokens=2, estimated=True
    )
    with pytest.raises(WireError):
        WIRE.usage(b"[]")


@settings(deadline=None)
@given(packets(STREAM))
def test_a_stream_passes_untouched_however_it_is_cut(chunks: list[bytes]) -> None:
    reader = WIRE.reader(CALL)
    shown = b"".join(map(reader.feed, chunks)) + reader.end()
    assert shown == STREAM
    assert b"a_field_of_tomorrow" in shown
    assert reader.finished
    assert reader.usage == Usage(
        prompt_tokens=9, completion_tokens=7, cached_read_tokens=4, reasoning_tokens=3
    )


@given(st.integers(0, STREAM.rindex(b"event: response.completed")))
def test_a_stream_that_breaks_off_is_not_whole(length: int) -> None:
    reader = WIRE.reader(CALL)
    reader.feed(STREAM[:length])
    with pytest.raises(StreamCut):
        reader.end()
    assert reader.estimate(CALL).estimated


def test_what_came_before_a_failure_is_shown() -> None:
    reader = WIRE.reader(CALL)
    good = b'event: x\ndata: {"type":"response.output_text.delta","delta":"Hi"}\n\n'
    bad = (
        b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"message":"No."}}}\n\n'
    )
    assert reader.feed(good + bad + good) == good
    assert isinstance(reader.failure, StreamFailed)
    assert reader.failure.message == "No."


@pytest.mark.parametrize("data", [b"data: [1]\n\n", b"data: {\n\n", b"data: nothing\n\n"])
def test_what_is_no_event_is_a_failure(data: bytes) -> None:
    reader = WIRE.reader(CALL)
    assert reader.feed(data) == b""
    assert isinstance(reader.failure, WireError)


def test_an_error_event_says_it_in_both_of_openais_ways() -> None:
    error = ProviderError("Out of steam.", provider="up", status=502)
    name, _, data = WIRE.error_event(error).partition(b"\ndata: ")
    fields = json.loads(data)
    assert name == b"event: error"
    assert fields["type"] == "error"
    assert fields["message"] == fields["error"]["message"] == "Out of steam."
