"""Anthropic's Messages API."""

from __future__ import annotations

from gateway.wire.anthropic_messages.codec import AnthropicMessagesCodec
from gateway.wire.anthropic_messages.wire import AnthropicMessages

__all__ = ["AnthropicMessages", "AnthropicMessagesCodec"]
