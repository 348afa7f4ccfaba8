"""OpenAI transcriptions and translations. https://platform.openai.com/docs/api-reference/audio."""

from __future__ import annotations

from gateway.wire.openai_transcriptions.wire import OpenAITranscriptions, OpenAITranslations

__all__ = ["OpenAITranscriptions", "OpenAITranslations"]
