from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, ProviderError
from gateway.types import Call
from gateway.wire import REALTIME, WIRES, Given, WireError
from gateway.wire.openai_realtime import RealtimeReader

WIRE = WIRES[REALTIME]


def event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}).encode()


def done(**usage: Any) -> bytes:
    return event("response.done", response={"usage": usage or None})


def test_the_model_stands_in_the_url() -> None:
    assert WIRE.read(b"", Given(model="gpt-realtime")).model == "gpt-realtime"
    assert WIRE.read(b"", Given(model="gpt-realtime")).stream
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(b"")
    assert caught.value.param == "model"


def test_usage_is_summed_with_every_detail(make_call: Callable[..., Call]) -> None:
    reader = RealtimeReader()
    one = done(
        input_tokens=100,
        output_tokens=20,
        input_token_details={
            "cached_tokens": 60,
            "audio_tokens": 30,
            "cached_tokens_details": {"text_tokens": 9},
        },
        output_token_details={"audio_tokens": 15},
    )
    for message in (one, event("response.created", response={"usage": None}), one, done(input_tokens=-5)):
        assert reader.feed(message) == message
    usage = reader.usage or reader.estimate(make_call())
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_read_tokens) == (200, 40, 120)
    assert (usage.audio_prompt_tokens, usage.audio_completion_tokens, usage.estimated) == (60, 30, False)


@pytest.mark.parametrize(
    ("kind", "delta", "tokens", "spoken"),
    [
        ("response.output_text.delta", "x" * 38, 10, 0),
        ("response.output_audio_transcript.delta", "x" * 38, 10, 0),
        ("response.output_audio.delta", "A" * 64_000, 20, 20),
    ],
)
def test_a_response_that_is_not_done_is_estimated(
    make_call: Callable[..., Call], kind: str, delta: str, tokens: int, spoken: int
) -> None:
    reader = RealtimeReader()
    reader.feed(done(input_tokens=7, output_tokens=3))
    reader.feed(event(kind, delta=delta))
    usage = reader.estimate(make_call())
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (7, 3 + tokens, True)
    assert usage.audio_completion_tokens == spoken
    reader.feed(done())
    assert reader.estimate(make_call()) == usage, "a response without usage stays estimated"
    reader.feed(event(kind, delta=delta))
    reader.feed(done(input_tokens=1, output_tokens=1))
    assert reader.estimate(make_call()).completion_tokens == 3 + tokens + 1


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_nothing_breaks_the_reader(message: bytes) -> None:
    reader = RealtimeReader()
    shown = reader.feed(message)
    if reader.failure is None:
        assert shown == message
        assert message.lstrip().startswith(b"{")
    else:
        assert isinstance(reader.failure, WireError)
        assert shown == b""


@pytest.mark.parametrize(
    "strange", [b'{"type": 5}', b'{"response": {"usage": 7}, "type": "response.done"}', b"{}"]
)
def test_an_object_of_an_unknown_shape_passes(strange: bytes) -> None:
    reader = RealtimeReader()
    assert reader.feed(strange) == strange
    assert reader.failure is None


def test_errors_are_events() -> None:
    error = ProviderError("It broke.", provider="up", code="upstream_cut")
    error.request_id = "req_7"
    assert json.loads(WIRE.error_event(error)) == {
        "type": "error",
        "event_id": "event_7",
        "error": {
            "type": "upstream_error",
            "code": "upstream_cut",
            "message": "It broke.",
            "param": None,
            "event_id": None,
        },
    }
    assert json.loads(WIRE.error(error))["error"]["code"] == "upstream_cut"
