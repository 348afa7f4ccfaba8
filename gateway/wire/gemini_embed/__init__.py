"""Gemini's embedContent and batchEmbedContents, and Vertex's predict. https://ai.google.dev/api/embeddings."""

from __future__ import annotations

from gateway.wire.gemini_embed.codec import GeminiEmbedCodec
from gateway.wire.gemini_embed.shapes import DIALECT as EMBED
from gateway.wire.gemini_embed.vertex import VertexEmbedCodec
from gateway.wire.gemini_embed.wire import GeminiEmbed, tokens_asked

__all__ = ["EMBED", "GeminiEmbed", "GeminiEmbedCodec", "VertexEmbedCodec", "tokens_asked"]
