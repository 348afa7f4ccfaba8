"""Gemini's embedContent and batchEmbedContents, and Vertex's predict. https://ai.google.dev/api/embeddings."""

from __future__ import annotations

from gateway.wire.gemini_embed.codec import GeminiEmbedCodec
from gateway.wire.gemini_embed.vertex import VertexEmbedCodec
from gateway.wire.gemini_embed.wire import GeminiEmbed

__all__ = ["GeminiEmbed", "GeminiEmbedCodec", "VertexEmbedCodec"]
