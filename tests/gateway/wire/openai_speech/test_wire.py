from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Call, Principal, Usage
from gateway.wire import StreamCut, WireError, wav
from gateway.wire.openai_speech import OpenAISpeech

WIRE = OpenAISpeech()


def call(**fields: Any) -> Call:
    body = json.dumps({"model": "m", "voice": "alloy", "input": "Hello there, you.", **fields}).encode()
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="speech",
        dialect=WIRE.name,
        model="m",
        stream=True,
        shows_usage=True,
        body=body,
        principal=Principal(tenant="default", authenticator="test"),
        received_at=0.0,
    )


def test_the_answer_always_streams() -> None:
    assert WIRE.read(call().body).stream
    assert WIRE.prepare(call(a_new_field=1), "m") == call(a_new_field=1).body
    assert json.loads(WIRE.prepare(call(), "n"))["model"] == "n"


@pytest.mark.parametrize("fields", [{"model": ""}, {"input": ""}, {"input": 1}, {"stream_format": "ogg"}])
def test_bad_requests_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read(call(**fields).body)
    assert caught.value.param == next(iter(fields))


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_sound_passes_as_it_comes(chunks: list[bytes]) -> None:
    reader = WIRE.reader(call())
    assert [reader.feed(chunk) for chunk in chunks] == chunks
    if any(chunks):
        assert reader.end() == b""
        assert reader.finished
    else:
        with pytest.raises(StreamCut):
            reader.end()


def test_what_is_counted() -> None:
    reader = WIRE.reader(call())
    reader.feed(b"ID3" + bytes(100))
    assert (reader.estimate(call()).characters, reader.estimate(call()).seconds) == (17, 17 / 15)
    for beginning, form in ((wav.head(0), "wav"), (b"", "pcm")):
        reader = WIRE.reader(call(response_format=form))
        reader.feed(beginning + bytes(wav.BYTES_PER_SECOND * 2 - len(beginning)))
        told = reader.estimate(call(response_format=form))
        assert told.seconds == 2.0
        assert (told.prompt_tokens, told.characters, told.estimated) == (5, 17, True)
    assert WIRE.usage(b"RIFF") is None
    assert WIRE.estimate(call(), wav.head(96_000) + bytes(96_000)).seconds == 2.0
    with pytest.raises(WireError):
        WIRE.usage(b"")


def test_events_say_what_it_cost() -> None:
    asked = call(stream_format="sse")
    reader = WIRE.reader(asked)
    usage = {"input_tokens": 4, "output_tokens": 30, "total_tokens": 34}
    stream = b"".join(
        b"data: %b\n\n" % json.dumps(event).encode()
        for event in (
            {"type": "speech.audio.delta", "audio": "AAAA"},
            {"type": "speech.audio.done", "usage": usage},
        )
    )
    assert reader.feed(stream) + reader.end() == stream
    assert reader.usage == Usage(prompt_tokens=4, completion_tokens=30)
    reader = WIRE.reader(asked)
    reader.feed(stream[:50])
    with pytest.raises(StreamCut):
        reader.end()
