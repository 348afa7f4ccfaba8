"""Gemini's generateContent and streamGenerateContent. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from gateway.wire.gemini_generate.codec import GeminiGenerateCodec
from gateway.wire.gemini_generate.wire import GeminiGenerate, GeminiReader

__all__ = ["GeminiGenerate", "GeminiGenerateCodec", "GeminiReader"]
