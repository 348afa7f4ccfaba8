"""Ollama's chat. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from gateway.wire.ollama_chat.codec import OllamaChatCodec

__all__ = ["OllamaChatCodec"]
