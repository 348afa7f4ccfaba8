"""Cohere's rerank, and the many services that do it the same way. https://docs.cohere.com/v2/reference/rerank."""

from __future__ import annotations

from gateway.wire.cohere_rerank.codec import CohereRerankCodec
from gateway.wire.cohere_rerank.wire import CohereRerank

__all__ = ["CohereRerank", "CohereRerankCodec"]
