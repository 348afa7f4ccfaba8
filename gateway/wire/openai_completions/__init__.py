"""OpenAI's legacy completions. https://platform.openai.com/docs/api-reference/completions."""

from __future__ import annotations

from gateway.wire.openai_completions.codec import OpenAICompletionsCodec
from gateway.wire.openai_completions.wire import OpenAICompletions

__all__ = ["OpenAICompletions", "OpenAICompletionsCodec"]
