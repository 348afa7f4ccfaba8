"""Speech by Gemini's TTS models, as a provider's dialect. https://ai.google.dev/gemini-api/docs/speech-generation."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import msgspec

from gateway.types import Dialect, Usage
from gateway.wire import wav
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.speech import SpeechAnswer, SpeechRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.estimate import estimated_tokens
from gateway.wire.gemini_generate.shapes import Response, usage_of
from gateway.wire.gemini_generate.signatures import standard
from gateway.wire.provider_only import ProviderOnly

_WRITABLE: Final = frozenset({None, "wav", "pcm"})
"""What can be made of bare samples without a library; a client that names no format gets WAV."""
_RATE: Final = re.compile(r"rate=([1-9][0-9]{3,5})")
_decode = msgspec.json.Decoder(Response).decode


class GeminiSpeech(ProviderOnly[SpeechRequest, SpeechAnswer]):
    """A text, and bare samples as an answer; in one piece."""

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

    def decode_answer(self, body: bytes) -> SpeechAnswer:
        """Read samples. Raises `WireError` when there are none."""
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not what Gemini sends: {error}") from None
        blobs = [
            part.inline_data
            for candidate in answer.candidates or ()
            for part in (candidate.content.parts if candidate.content else None) or ()
            if part.inline_data is not None
            and (part.inline_data.mime_type or "").lower().startswith("audio/l16")
        ]
        if not blobs:
            raise WireError("the answer holds no sound")
        try:
            samples = b"".join(base64.b64decode(standard(blob.data or ""), validate=True) for blob in blobs)
        except (binascii.Error, ValueError):
            raise WireError("the sound in the answer is not base64") from None
        rate = _RATE.search(blobs[0].mime_type or "")
        return SpeechAnswer(
            samples=samples, rate=int(rate[1]) if rate else wav.RATE, usage=usage_of(answer.usage_metadata)
        )

    def usage(self, answer: SpeechAnswer, request: SpeechRequest) -> Usage:
        """Tell the tokens that Gemini counted; the sound's length is counted here."""
        said = answer.usage or Usage(prompt_tokens=estimated_tokens(len(request.text)), estimated=True)
        seconds = len(answer.samples) / 2 / answer.rate
        return msgspec.structs.replace(said, characters=len(request.text), seconds=seconds)
