"""OpenAI speech. https://platform.openai.com/docs/api-reference/audio/createSpeech."""

from __future__ import annotations

from gateway.wire.openai_speech.codec import OpenAISpeechCodec
from gateway.wire.openai_speech.wire import OpenAISpeech

__all__ = ["OpenAISpeech", "OpenAISpeechCodec"]
