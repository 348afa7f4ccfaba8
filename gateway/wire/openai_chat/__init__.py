"""OpenAI chat completions. https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from gateway.wire.openai_chat.codec import OpenAIChatCodec, OpenRouterChatCodec
from gateway.wire.openai_chat.wire import ChatReader, OpenAIChat

__all__ = ["ChatReader", "OpenAIChat", "OpenAIChatCodec", "OpenRouterChatCodec"]
