"""Cohere's chat, API v2. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

from gateway.wire.cohere_chat.codec import CohereChatCodec
from gateway.wire.cohere_chat.wire import CohereChat

__all__ = ["CohereChat", "CohereChatCodec"]
