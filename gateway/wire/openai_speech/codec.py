"""OpenAI speech to and from the canonical form. https://platform.openai.com/docs/api-reference/audio/createSpeech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.always_streamed import AlwaysStreamed
from gateway.wire.body import read_request
from gateway.wire.canonical.speech import SpeechRequest
from gateway.wire.client_only import ClientOnly
from gateway.wire.codec import EventDecoder
from gateway.wire.dialect import StreamReader
from gateway.wire.openai_speech.spoken import SpokenReader


class _Voice(Struct):
    id: str


class _Request(Struct):
    model: str
    input: str
    voice: str | _Voice | None = None
    instructions: str | None = None
    response_format: str | None = None
    speed: float | None = None
    stream_format: str | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)


class OpenAISpeechCodec(AlwaysStreamed, ClientOnly[SpeechRequest, Any]):
    """A text, and the sound as WAV or bare samples, or in events."""

    dialect: Dialect = "openai.speech"
    names: Mapping[str, str] = {"text": "input", "format": "response_format"}
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> SpeechRequest:
        """Read a request."""
        del stream  # it always may
        request, fields = read_request(_decode_request, body), _decode_fields(body)
        voice = request.voice
        return SpeechRequest(
            dialect=self.dialect,
            model=model,
            text=request.input,
            voice=voice.id if isinstance(voice, _Voice) else voice,
            instructions=request.instructions or None,
            format=request.response_format,
            speed=request.speed,
            events=request.stream_format == "sse",
            extra={name: fields[name] for name in fields.keys() - _KNOWN if fields[name] is not None},
        )

    def answer_type(self, request: SpeechRequest) -> bytes:
        """Name the content type of what is written."""
        if request.events:
            return b"text/event-stream; charset=utf-8"
        return b"audio/pcm" if request.format == "pcm" else b"audio/wav"

    def reader(self, decoder: EventDecoder, request: SpeechRequest) -> StreamReader:
        """Make a reader that hands on what a provider says aloud."""
        return SpokenReader(decoder, request)
