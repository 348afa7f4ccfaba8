"""Usage of embeddings that a provider did not tell."""

from __future__ import annotations

from gateway.types import Usage
from gateway.wire.canonical.embedding import EmbeddingRequest
from gateway.wire.estimate import estimated_tokens


def estimate(request: EmbeddingRequest) -> Usage:
    """Estimate from the inputs; token ids count themselves."""
    tokens = sum(estimated_tokens(len(one)) if isinstance(one, str) else len(one) for one in request.inputs)
    return Usage(prompt_tokens=tokens, estimated=True)
