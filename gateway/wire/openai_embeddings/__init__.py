"""OpenAI embeddings. https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

from gateway.wire.openai_embeddings.codec import OpenAIEmbeddingsCodec
from gateway.wire.openai_embeddings.wire import OpenAIEmbeddings

__all__ = ["OpenAIEmbeddings", "OpenAIEmbeddingsCodec"]
