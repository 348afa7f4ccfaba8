"""Cohere: chat, embeddings and rerank."""

from __future__ import annotations

from gateway_cohere.plugin import Cohere

__all__ = ["Cohere"]
