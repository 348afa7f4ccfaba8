"""Reads aloud in a single tone, and hears always the same words.

https://platform.openai.com/docs/api-reference/audio
"""

from __future__ import annotations

import math
from array import array
from base64 import b64encode
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire import multipart, sse, wav

HEARD: Final = "Hello from the mock provider."
"""What every recording says."""

_CHARACTERS_PER_SECOND: Final = 15
_LONGEST: Final = 5
"""Seconds of tone for the longest text."""
_PIECE: Final = 4800
"""Bytes of sound in each chunk: a tenth of a second."""
_SAYS: Final = frozenset({"json", "text", "srt", "vtt", "verbose_json", "diarized_json"})


class SpeechRequest(Struct):
    input: str
    voice: Any = None
    response_format: str | None = None
    stream_format: str | None = None


class Recording(Struct, frozen=True):
    """What is asked about a recording."""

    form: str
    """How the text is to be written."""
    stream: bool
    seconds: float


_decode = msgspec.json.Decoder(SpeechRequest).decode


def read_speech(body: bytes) -> SpeechRequest:
    """Read a text to be read aloud; raises `InvalidRequest` as OpenAI would answer 400."""
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid request: {error}.") from None


def spoken(request: SpeechRequest, text: str) -> tuple[str, list[bytes]]:
    """Return content type and pieces of the sound: WAV, whatever was asked for, or bare samples for `pcm`."""
    seconds = min(len(text) / _CHARACTERS_PER_SECOND, _LONGEST)
    samples = _tone(seconds)
    bare = request.response_format == "pcm"
    data = samples if bare else wav.head(len(samples)) + samples
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    if request.stream_format != "sse":
        return "audio/pcm" if bare else "audio/wav", pieces
    tokens = {"input_tokens": -(-len(text) // 4), "output_tokens": len(pieces)}
    done = {"type": "speech.audio.done", "usage": {**tokens, "total_tokens": sum(tokens.values())}}
    deltas = [{"type": "speech.audio.delta", "audio": b64encode(piece).decode()} for piece in pieces]
    return "text/event-stream", [sse.event(msgspec.json.encode(event)) for event in (*deltas, done)]


def read_recording(body: bytes, content_type: str, *, stream: bool) -> Recording:
    """Read a recording; raises `InvalidRequest` as OpenAI would answer 400."""
    form = multipart.parse(body, content_type)
    wanted = form.text("response_format") or "json"
    if wanted not in _SAYS:
        raise InvalidRequest(
            f"Invalid 'response_format': expected one of {', '.join(sorted(_SAYS))}.", param="response_format"
        )
    (file,) = form.named("file")
    return Recording(wanted, stream, wav.seconds(form.data(file)) or 1.0)


def heard(recording: Recording, text: str) -> tuple[str, list[bytes]]:
    """Return content type and events or the whole of what was heard."""
    end = recording.seconds
    counts = {"input_tokens": math.ceil(end * 10), "output_tokens": -(-len(text) // 4)}
    tokens = {"type": "tokens", **counts, "total_tokens": sum(counts.values())}
    duration = {"type": "duration", "seconds": math.ceil(end)}
    if recording.stream:
        events: list[dict[str, Any]] = [
            {"type": "transcript.text.delta", "delta": word} for word in _words(text)
        ]
        events.append({"type": "transcript.text.done", "text": text, "usage": tokens})
        return "text/event-stream", [sse.event(msgspec.json.encode(event)) for event in events]
    fields: dict[str, Any]
    segment = {"id": 0, "start": 0.0, "end": end, "text": text}
    match recording.form:
        case "text":
            return "text/plain; charset=utf-8", [f"{text}\n".encode()]
        case "srt":
            cue = f"1\n{_time(0, ',')} --> {_time(end, ',')}\n{text}\n\n"
            return "text/plain; charset=utf-8", [cue.encode()]
        case "vtt":
            cue = f"WEBVTT\n\n{_time(0, '.')} --> {_time(end, '.')}\n{text}\n\n"
            return "text/vtt; charset=utf-8", [cue.encode()]
        case "verbose_json":
            seen: dict[str, Any] = {
                **segment,
                "seek": 0,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": -0.1,
            }
            seen |= {"compression_ratio": 1.0, "no_speech_prob": 0.0}
            fields = {"task": "transcribe", "language": "english", "duration": end, "segments": [seen]}
            fields["usage"] = duration
        case "diarized_json":
            said = {**segment, "id": "seg_0", "speaker": "A", "type": "transcript.text.segment"}
            fields = {"task": "transcribe", "duration": end, "segments": [said], "usage": duration}
        case _:
            fields = {"usage": tokens}
    return "application/json", [msgspec.json.encode({"text": text, **fields})]


def _tone(seconds: float) -> bytes:
    """Make samples: 16 bits, little-endian, 440 Hz, softly."""
    wave = array("h", (int(2000 * math.sin(2 * math.pi * 440 * i / wav.RATE)) for i in range(wav.RATE // 40)))
    return (wave.tobytes() * math.ceil(seconds * 40))[: int(seconds * wav.RATE) * 2]


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _time(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
