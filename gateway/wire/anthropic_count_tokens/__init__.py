"""Anthropic's counting of tokens."""

from __future__ import annotations

from gateway.wire.anthropic_count_tokens.codec import AnthropicCountTokensCodec
from gateway.wire.anthropic_count_tokens.wire import AnthropicCountTokens

__all__ = ["AnthropicCountTokens", "AnthropicCountTokensCodec"]
