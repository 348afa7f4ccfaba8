"""Chat completions: what the gateway reads, changes and leaves alone."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, ProviderError
from gateway.types import Call, Principal, Usage
from gateway.wire import WIRES, StreamCut, StreamFailed, WireError

WIRE = WIRES["openai.chat"]
MESSAGES = [{"role": "user", "content": "hi"}]


def call(**fields: Any) -> Call:
    body = json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()
    head = WIRE.read(body)
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="chat",
        dialect=WIRE.name,
        model=head.model,
        stream=head.stream,
        shows_usage=head.shows_usage,
        body=body,
        principal=Principal(tenant="t", authenticator="test"),
        received_at=0,
    )


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", **fields}).encode() + b"\n\n"


def delta(text: str) -> bytes:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


STOP = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
USAGE = chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2})
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        (b"{", None, "invalid_json", "not valid JSON"),
        (b"\xff", None, "invalid_json", "not valid JSON"),
        (b"", None, "invalid_json", "not valid JSON"),
        (b"[]", None, "invalid_type", "expected object, got array"),
        (b"{}", "model", "missing_required_parameter", "'model'"),
        (b'{"model": "m"}', "messages", "missing_required_parameter", "'messages'"),
        (b'{"model": 1, "messages": []}', "model", "invalid_type", "expected str, got int"),
        (b'{"model": "m", "messages": "x"}', "messages", "invalid_type", "expected array"),
        (b'{"model": "m", "messages": []}', "messages", "empty_array", "at least one message"),
        (b'{"model": "", "messages": [1]}', "model", None, "provide a model"),
        (b'{"model": "m", "messages": [1], "stream": "yes"}', "stream", "invalid_type", "'stream'"),
        (b'{"model": "m", "messages": [1], "stream_options": 1}', "stream_options", "invalid_type", "object"),
    ],
)
def test_bad_requests_name_what_is_wrong(
    body: bytes, param: str | None, code: str | None, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(body)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert message in caught.value.message


def test_deep_nesting_is_refused_not_crashed() -> None:
    deep = b'{"model": "m", "messages": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    with pytest.raises(InvalidRequest):
        WIRE.read(deep)


def test_bytes_stay_untouched_when_nothing_must_change() -> None:
    plain = call(odd=[1, {"x": None}])
    assert WIRE.prepare(plain, "m") is plain.body
    streamed = call(stream=True, stream_options={"include_usage": True})
    assert WIRE.prepare(streamed, "m") is streamed.body


def test_model_is_swapped_and_unknown_fields_survive() -> None:
    sent = json.loads(WIRE.prepare(call(odd=[1, {"x": 1.50}], seed=2**63), "gpt-x"))
    assert sent == {"model": "gpt-x", "messages": MESSAGES, "odd": [1, {"x": 1.50}], "seed": 2**63}


def test_usage_is_always_asked_for() -> None:
    asked = json.loads(WIRE.prepare(call(stream=True), "m"))
    assert asked["stream_options"] == {"include_usage": True}
    kept = json.loads(WIRE.prepare(call(stream=True, stream_options={"include_obfuscation": False}), "m"))
    assert kept["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_usage_of_a_whole_answer() -> None:
    body = json.dumps(
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
        }
    ).encode()
    assert WIRE.usage(body) == Usage(
        prompt_tokens=10, completion_tokens=5, cached_read_tokens=4, reasoning_tokens=2
    )
    assert WIRE.usage(b'{"choices": []}') is None
    assert WIRE.usage(b'{"usage": {"prompt_tokens": "many"}}') is None


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"choices": [', b'"text"', b"[1]"])
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(WireError):
        WIRE.usage(body)


def test_estimate_leaves_images_out() -> None:
    parts = [
        {"type": "text", "text": "x" * 40},
        {"type": "image_url", "image_url": {"url": "data:" + "A" * 9000}},
    ]
    estimate = WIRE.estimate(call(messages=[{"role": "user", "content": parts}]), b'{"choices": []}')
    assert estimate.estimated
    assert 10 <= estimate.prompt_tokens < 30


@given(st.lists(st.integers(0, 10_000)), st.booleans(), st.lists(st.text(max_size=10), max_size=5))
def test_any_cut_of_the_stream_reads_the_same(places: list[int], shows: bool, texts: list[str]) -> None:
    shown = b"".join(map(delta, texts)) + STOP
    stream = shown + USAGE + DONE
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    reader = WIRE.reader(call(stream=True, stream_options={"include_usage": shows}))
    out = b"".join(reader.feed(stream[a:b]) for a, b in itertools.pairwise(ends))
    reader.end()
    assert out == (stream if shows else shown + DONE)
    assert reader.finished
    assert reader.usage == Usage(prompt_tokens=3, completion_tokens=2)


def test_usage_beside_choices_is_not_hidden() -> None:
    both = chunk(
        choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}],
        usage={"prompt_tokens": 1, "completion_tokens": 1},
    )
    reader = WIRE.reader(call(stream=True))
    assert reader.feed(both) == both
    assert reader.usage is not None


@pytest.mark.parametrize("stream", [delta("a"), delta("a") + b'data: {"cho', b"", STOP + b"data: x"])
def test_a_stream_without_its_end_was_cut(stream: bytes) -> None:
    reader = WIRE.reader(call(stream=True))
    reader.feed(stream)
    with pytest.raises(StreamCut):
        reader.end()


@pytest.mark.parametrize("ending", [STOP, DONE])
def test_either_ending_will_do(ending: bytes) -> None:
    reader = WIRE.reader(call(stream=True))
    reader.feed(delta("a") + ending)
    reader.end()


@pytest.mark.parametrize("event", [b'data: {"choices": [\n\n', b"data: <html>\n\n", b"data: 12\n\n"])
def test_malformed_events_are_refused(event: bytes) -> None:
    reader = WIRE.reader(call(stream=True))
    assert reader.feed(delta("a") + event) == delta("a"), "what came before is not lost"
    assert isinstance(reader.failure, WireError)


def test_events_of_an_unknown_shape_pass() -> None:
    odd = chunk(choices="soon", extra=True)
    assert WIRE.reader(call(stream=True)).feed(odd) == odd


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "boom", "type": "server_error", "code": "overloaded"}, None, "overloaded"),
        ({"message": "boom", "code": 429}, 429, None),
        ("boom", None, None),
    ],
)
def test_an_error_in_the_stream_is_an_error(error: Any, status: int | None, code: str | None) -> None:
    reader = WIRE.reader(call(stream=True))
    assert reader.feed(delta("a") + chunk(error=error) + delta("b")) == delta("a")
    assert isinstance(reader.failure, StreamFailed)
    assert "boom" in reader.failure.message
    assert (reader.failure.status, reader.failure.code) == (status, code)


def test_errors_have_openais_shape() -> None:
    error = ProviderError("no", provider="p", code="upstream_cut")
    shape = {"error": {"message": "no", "type": "upstream_error", "param": None, "code": "upstream_cut"}}
    assert json.loads(WIRE.error(error)) == shape
    event = WIRE.error_event(error)
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert json.loads(event[6:]) == shape


def test_estimate_of_a_stream_counts_what_passed() -> None:
    request = call(stream=True)
    reader = WIRE.reader(request)
    reader.feed(delta("x" * 38))
    assert reader.estimate(request) == Usage(prompt_tokens=2, completion_tokens=10, estimated=True)
