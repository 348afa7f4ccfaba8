"""OpenAI speech as clients ask for it. https://platform.openai.com/docs/api-reference/audio/createSpeech."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse, wav
from gateway.wire.body import read_request
from gateway.wire.dialect import PLAIN, Given, Head, StreamCut, StreamFailed, StreamReader, WireError
from gateway.wire.estimate import estimated_tokens
from gateway.wire.media_usage import read_usage
from gateway.wire.model_field import with_model
from gateway.wire.named_events import NamedEvent, NamedEventsReader
from gateway.wire.openai_errors import error_body

CHARACTERS_PER_SECOND: Final = 15.0
"""How fast a voice reads, where the sound itself does not tell how long it lasts."""


class _Request(Struct):
    model: str
    input: str
    stream_format: Literal["audio", "sse"] | None = None
    response_format: str | None = None


_decode_request = msgspec.json.Decoder(_Request).decode


class OpenAISpeech:
    """A text read aloud. The sound is passed on as it comes, or in events where the client asks for those."""

    name: Dialect = "openai.speech"
    capability: Capability = "speech"
    keep_alive = b""
    """Nothing can be put between the bytes of a sound."""

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model; the answer always streams."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if not request.input:
            raise InvalidRequest("Invalid 'input': it must not be empty.", param="input")
        return Head(request.model, stream=True)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return with_model(call, model)

    def usage(self, body: bytes) -> Usage | None:
        """A sound does not say what it cost."""
        if not body:
            raise WireError("the answer holds no sound")
        return None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Count the characters that were read, and how long that took."""
        return _estimated(call, wav.seconds(body))

    def reader(self, call: Call) -> StreamReader:
        """Make a reader for sound, or for events with sound in them."""
        return SpeechEvents() if _decode_request(call.body).stream_format == "sse" else SoundReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream of events; in a sound there is no place for it, it is only cut."""
        return sse.event(error_body(error))


class SoundReader:
    """Passes a sound on, and counts it."""

    __slots__ = ("_beginning", "_size", "began", "failure", "finished", "usage")

    def __init__(self) -> None:
        self._beginning = b""
        self._size = 0
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Hand on what came."""
        self.began = self.began or bool(chunk)
        if not self._size:
            self._beginning = chunk[:4]
        self._size += len(chunk)
        return chunk

    def end(self) -> bytes:
        """Check that there was any sound; whether it is whole, only the connection knows."""
        if not self.began:
            raise StreamCut
        self.finished = True
        return b""

    def estimate(self, call: Call, /) -> Usage:
        """Count the characters that were read, and how long that took: bare samples and WAV tell by their size."""
        is_pcm = _decode_request(call.body).response_format == "pcm"
        known = is_pcm or self._beginning == b"RIFF"
        return _estimated(call, self._size / wav.BYTES_PER_SECOND if known else None)


class SpeechEvents(NamedEventsReader):
    """Follows events with pieces of sound, and one at the end that says what it cost."""

    def note(self, event: NamedEvent) -> None:
        """Take note of the end."""
        if event.type == "speech.audio.done":
            self.usage = read_usage(event.usage)
            self.finished = True

    def estimate(self, call: Call, /) -> Usage:
        """Count the characters that were read."""
        return _estimated(call, None)


def _estimated(call: Call, seconds: float | None) -> Usage:
    characters = len(_decode_request(call.body).input)
    return Usage(
        prompt_tokens=estimated_tokens(characters),
        characters=characters,
        seconds=characters / CHARACTERS_PER_SECOND if seconds is None else seconds,
        estimated=True,
    )
