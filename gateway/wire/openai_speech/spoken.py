"""What a provider of another dialect says aloud, handed on as it comes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, cast

import msgspec

from gateway.types import Call, Usage
from gateway.wire import sse, wav
from gateway.wire.canonical import End, Event, MediaDelta, UsageReport
from gateway.wire.canonical.speech import SpeechRequest
from gateway.wire.codec import EventDecoder
from gateway.wire.dialect import StreamFailed, WireError
from gateway.wire.estimate import estimated_tokens

_SAMPLES: Final = "audio/l16"
_RATE: Final = re.compile(r"rate=([1-9][0-9]{3,5})")


class SpokenReader:
    """Reads events with bare samples in them, and writes WAV, samples, or OpenAI's events."""

    def __init__(self, decoder: EventDecoder, request: SpeechRequest) -> None:
        self._decoder = decoder
        self._request = request
        self._size = 0
        self._rate = wav.RATE
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Decode, count, and write what came."""
        events = self._decoder.feed(chunk)
        try:
            written = self._write(events)
        except WireError as failure:
            self.failure = failure
            return b""
        if self._decoder.failure is not None:
            self.failure = cast("WireError | StreamFailed", self._decoder.failure)
        return written

    def end(self) -> bytes:
        """Write what is still owed. Raises `StreamCut` when the answer is not whole, `WireError` when it was silent."""
        return b"" if self.finished else self._write(self._decoder.end())

    def estimate(self, _call: Call, /) -> Usage:
        """Estimate the tokens of the text; how long the sound lasts, it tells itself."""
        return self._counted(Usage(prompt_tokens=estimated_tokens(len(self._request.text)), estimated=True))

    def _write(self, events: Sequence[Event]) -> bytes:
        return b"".join(map(self._event, events))

    def _event(self, event: Event) -> bytes:
        match event:
            case MediaDelta() if event.media_type.lower().startswith(_SAMPLES):
                return self._sound(event)
            case UsageReport():
                self.usage = event.usage
            case End():
                return self._end()
            case _:
                pass  # thoughts, and words beside the sound, have no place in it
        return b""

    def _sound(self, event: MediaDelta) -> bytes:
        try:
            data = base64.b64decode(event.data, validate=True)
        except (binascii.Error, ValueError):
            raise WireError("the sound in the answer is not base64") from None
        head = b""
        if not self.began:
            self.began = True
            rate = _RATE.search(event.media_type)
            self._rate = int(rate[1]) if rate else wav.RATE
            head = b"" if self._request.format == "pcm" else wav.head(wav.UNKNOWN, self._rate)
        self._size += len(data)
        if not self._request.events:
            return head + data
        told = {"type": "speech.audio.delta", "audio": base64.b64encode(head + data).decode()}
        return sse.event(msgspec.json.encode(told))

    def _end(self) -> bytes:
        if not self._size:
            raise WireError("the answer holds no sound")
        estimated = Usage(prompt_tokens=estimated_tokens(len(self._request.text)), estimated=True)
        self.usage = usage = self._counted(self.usage or estimated)
        self.finished = True
        if not self._request.events:
            return b""
        told = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
        return sse.event(msgspec.json.encode({"type": "speech.audio.done", "usage": told}))

    def _counted(self, usage: Usage) -> Usage:
        return msgspec.structs.replace(
            usage, characters=len(self._request.text), seconds=self._size / 2 / self._rate
        )
