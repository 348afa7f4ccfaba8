"""OpenAI speech to and from the canonical form. https://platform.openai.com/docs/api-reference/audio/createSpeech."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire import sse, wav
from gateway.wire.body import read_request
from gateway.wire.canonical.speech import SpeechAnswer, SpeechRequest
from gateway.wire.client_only import ClientOnly
from gateway.wire.estimate import estimated_tokens


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


class OpenAISpeechCodec(ClientOnly[SpeechRequest, SpeechAnswer]):
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

    def encode_answer(self, answer: SpeechAnswer, request: SpeechRequest) -> bytes:
        """Write the sound."""
        data = answer.samples
        if request.format != "pcm":
            data = wav.head(len(data), answer.rate) + data
        if not request.events:
            return data
        usage = self.usage(answer, request)
        told = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
        sound = {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}
        done = {"type": "speech.audio.done", "usage": told}
        return b"".join(sse.event(msgspec.json.encode(event)) for event in (sound, done))

    def answer_type(self, request: SpeechRequest) -> bytes:
        """Name the content type of what `encode_answer` writes."""
        if request.events:
            return b"text/event-stream; charset=utf-8"
        return b"audio/pcm" if request.format == "pcm" else b"audio/wav"

    def usage(self, answer: SpeechAnswer, request: SpeechRequest) -> Usage:
        """Tell what the provider says, or estimate; characters and seconds are counted."""
        said = answer.usage or Usage(prompt_tokens=estimated_tokens(len(request.text)), estimated=True)
        seconds = len(answer.samples) / 2 / answer.rate
        return msgspec.structs.replace(said, characters=len(request.text), seconds=seconds)
