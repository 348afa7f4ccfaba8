from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Call, Principal, Usage
from gateway.wire import Given, StreamCut, Wire, WireError, multipart, wav
from gateway.wire.multipart import NewField
from gateway.wire.openai_transcriptions import OpenAITranscriptions, OpenAITranslations

WIRE = OpenAITranscriptions()
FILE = NewField("file", wav.head(96_000) + bytes(96_000), "a.wav", "audio/wav")
MODEL = NewField("model", b"m")


def call(*fields: NewField, wire: Wire = WIRE) -> Call:
    body, kind = multipart.write(fields or (MODEL, FILE))
    head = wire.read(body, Given(content_type=kind))
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="transcription",
        dialect=wire.name,
        model=head.model,
        stream=head.stream,
        shows_usage=True,
        body=body,
        content_type=kind,
        principal=Principal(tenant="default", authenticator="test"),
        received_at=0.0,
    )


def test_reading_and_passing_on() -> None:
    asked = call(FILE, MODEL, NewField("stream", b"True"))
    assert asked.stream
    assert WIRE.prepare(asked, "m") is asked.body
    assert WIRE.prepare(asked, "other") == asked.body.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nother\r\n")
    assert not call(FILE, MODEL, NewField("stream", b"true"), wire=OpenAITranslations()).stream


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([FILE], "model"),
        ([MODEL], "file"),
        ([MODEL, FILE, FILE], "file"),
        ([MODEL, FILE, NewField("stream", b"1")], "stream"),
    ],
)
def test_what_is_missing_is_named(fields: list[NewField], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        call(*fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (
            {
                "text": "Hi",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 14,
                    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                    "output_tokens": 2,
                    "total_tokens": 16,
                },
            },
            Usage(prompt_tokens=14, completion_tokens=2, audio_prompt_tokens=10),
        ),
        ({"text": "Hi", "usage": {"type": "duration", "seconds": 9}}, Usage(seconds=9.0)),
        ({"text": "Hi", "duration": 8.5}, Usage(seconds=8.5)),
        ({"text": "Hi", "duration": "8.5"}, Usage(seconds=8.5)),
        ({"text": "Hi", "duration": "nan", "usage": {"seconds": "?"}}, None),
        ({"text": "Hi"}, None),
    ],
)
def test_what_it_cost(answer: dict[str, Any], usage: Usage | None) -> None:
    assert WIRE.usage(json.dumps(answer).encode()) == usage


def test_what_it_may_have_cost() -> None:
    srt = b"1\n00:00:00,000 --> 00:01:02,500\nHello there\n\n"
    vtt = b"WEBVTT\n\n00:00.000 --> 01:02.500\nHello there\n\n"
    for text in (srt, vtt):
        assert WIRE.usage(text) is None
        assert WIRE.estimate(call(), text).seconds == 62.5
    assert WIRE.estimate(call(), b"Hello there\n") == Usage(completion_tokens=3, seconds=2.0, estimated=True)
    compressed = NewField("file", bytes(16_000), "a.mp3")
    assert WIRE.estimate(call(MODEL, compressed), b"Hi").seconds == 2.0
    with pytest.raises(WireError):
        WIRE.usage(b'{"text": "Hi')


def test_a_stream() -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 2, "total_tokens": 16}
    told = [
        {"type": "transcript.text.delta", "delta": "Hél"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {"type": "transcript.text.done", "text": "Héllo", "usage": usage},
    ]
    stream = b"".join(b"data: %b\n\n" % json.dumps(event, ensure_ascii=False).encode() for event in told)
    for cut in range(len(stream)):
        reader = WIRE.reader(call())
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) + reader.end() == stream
        assert reader.usage == Usage(prompt_tokens=14, completion_tokens=2)
    reader = WIRE.reader(call())
    reader.feed(stream[: stream.index(b"data: ", 10)])
    with pytest.raises(StreamCut):
        reader.end()
    assert reader.estimate(call()) == Usage(completion_tokens=1, seconds=2.0, estimated=True)
