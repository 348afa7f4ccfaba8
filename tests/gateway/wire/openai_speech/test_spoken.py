"""Speech by a provider of another dialect: handed on as it comes, and counted, however the stream is cut into packets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import StreamCut, WireError, exchange, wav
from gateway.wire.dialect import StreamFailed, StreamReader

SAMPLES = bytes(range(240)) * 200
COUNTED: dict[str, Any] = {"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 25}}
L16 = "audio/L16;codec=pcm;rate=24000"
CALL = make_call({"model": "m", "input": "Hello there", "voice": "Kore"}, dialect="openai.speech")


def reader(**asked: Any) -> StreamReader:
    call = make_call({"model": "m", "input": "Hello there", **asked}, dialect="openai.speech")
    turn = exchange(call, "gemini.speech", provider="gemini")
    turn.prepare("gemini-x-tts")
    return turn.reader()


def event(data: bytes = b"", kind: str = L16, **more: Any) -> bytes:
    blob = {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}}
    parts = [blob] if data else []
    candidate = {"content": {"role": "model", "parts": parts}, **more.pop("candidate", {})}
    return b"data: " + json.dumps({"candidates": [candidate], **more}).encode() + b"\r\n\r\n"


WHOLE = event(SAMPLES[:4000]) + event(SAMPLES[4000:]) + event(candidate={"finishReason": "STOP"}, **COUNTED)


@pytest.mark.parametrize("size", [997, 8192, 100_000])
def test_it_is_handed_on_as_it_comes_and_counted(size: int) -> None:
    spoken = reader(response_format="pcm")
    heard = [spoken.feed(WHOLE[start : start + size]) for start in range(0, len(WHOLE), size)]
    assert b"".join(heard) + spoken.end() == SAMPLES
    assert spoken.finished
    assert spoken.usage == Usage(prompt_tokens=7, completion_tokens=25, characters=11, seconds=1.0)


def test_a_file_of_unknown_length_has_a_head_that_says_so() -> None:
    spoken = reader()
    heard = spoken.feed(event(SAMPLES, "audio/l16; rate=16000"))
    assert heard == wav.head(wav.UNKNOWN, 16_000) + SAMPLES
    assert wav.seconds(heard) == 1.5


def test_what_was_heard_of_a_speech_that_breaks_off_is_counted() -> None:
    spoken = reader()
    spoken.feed(event(SAMPLES))
    with pytest.raises(StreamCut):
        spoken.end()
    assert not spoken.finished
    assert spoken.estimate(CALL) == Usage(prompt_tokens=3, characters=11, seconds=1.0, estimated=True)


def test_usage_that_is_not_told_is_estimated() -> None:
    spoken = reader(stream_format="sse")
    shown = spoken.feed(event(SAMPLES, candidate={"finishReason": "STOP"})) + spoken.end()
    *_, done = [json.loads(one[6:]) for one in shown.split(b"\n\n")[:-1]]
    assert done["usage"]["input_tokens"] == 3
    assert spoken.usage
    assert spoken.usage.estimated


def test_an_answer_without_a_sound_is_none() -> None:
    spoken = reader()
    assert spoken.feed(event(candidate={"finishReason": "STOP"})) == b""
    assert not spoken.began
    with pytest.raises(WireError, match="no sound"):
        spoken.end()


def test_an_error_in_the_midst_of_it_keeps_its_words() -> None:
    spoken = reader()
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    shown = spoken.feed(event(SAMPLES) + b"data: " + json.dumps(error).encode() + b"\n\n")
    assert shown.endswith(SAMPLES)
    assert isinstance(spoken.failure, StreamFailed)
    assert (spoken.failure.message, spoken.failure.status) == ("Overloaded.", 503)


def test_what_is_no_base64_is_a_failure() -> None:
    blob = {"inlineData": {"mimeType": L16, "data": "?!"}}
    spoken = reader()
    body = json.dumps({"candidates": [{"content": {"parts": [blob]}}]}).encode()
    assert spoken.feed(b"data: " + body + b"\n\n") == b""
    assert isinstance(spoken.failure, WireError)
