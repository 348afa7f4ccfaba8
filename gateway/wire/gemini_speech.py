"""Speech by Gemini's TTS models, as a provider's dialect. https://ai.google.dev/gemini-api/docs/speech-generation."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.types import Dialect
from gateway.wire.always_streamed import AlwaysStreamed
from gateway.wire.canonical.speech import SpeechRequest
from gateway.wire.codec import EventDecoder, Losses
from gateway.wire.gemini_generate.decoder import GeminiDecoder
from gateway.wire.provider_only import ProviderOnly

_WRITABLE: Final = frozenset({None, "wav", "pcm"})
"""What can be made of bare samples without a library; a client that names no format gets WAV."""


class GeminiSpeech(AlwaysStreamed, ProviderOnly[SpeechRequest, Any]):
    """A text, and bare samples as an answer, streamed as any answer of Gemini's."""

    dialect: Dialect = "gemini.speech"
    content_type = "application/json"

    def encode_request(self, request: SpeechRequest, model: str, losses: Losses) -> bytes:
        """Write a request. Instructions go before the text, which is how these models are told to read it."""
        del model
        if request.format not in _WRITABLE:
            losses.cannot("format")
        if request.speed not in {None, 1.0}:
            losses.cannot("speed")
        for name in request.extra:
            losses.cannot(name)
        text = (
            f"{request.instructions.rstrip(': ')}:\n{request.text}" if request.instructions else request.text
        )
        settings: dict[str, Any] = {"responseModalities": ["AUDIO"]}
        if request.voice:
            voice = {"prebuiltVoiceConfig": {"voiceName": request.voice}}
            settings["speechConfig"] = {"voiceConfig": voice}
        contents = [{"role": "user", "parts": [{"text": text}]}]
        return msgspec.json.encode({"contents": contents, "generationConfig": settings})

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream."""
        return GeminiDecoder()
