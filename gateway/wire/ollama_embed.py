"""Ollama's embeddings as a provider's dialect. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.provider_only import ProviderOnly

OWN: Final = frozenset({"keep_alive", "options", "truncate"})
"""Ollama's own parameters, passed on when a client adds them to its request."""


class _Answer(Struct):
    embeddings: list[list[float]]
    model: str = ""
    prompt_eval_count: int | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class OllamaEmbedCodec(ProviderOnly[EmbeddingRequest, EmbeddingAnswer]):
    """Embeddings over `/api/embed`."""

    dialect: Dialect = "ollama.embed"
    content_type = "application/json"

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write a request; what Ollama has no word for is told to `losses`."""
        if any(not isinstance(one, str) for one in request.inputs):
            losses.cannot("inputs.tokens")
        if request.user is not None:
            losses.cannot("user")
        if request.task is not None:
            losses.cannot("task")
        body: dict[str, Any] = {"model": model, "input": request.inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return msgspec.json.encode(body | losses.kept(request.extra, OWN))

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read the vectors, in the order of the inputs."""
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not one of Ollama's embeddings: {error}") from None
        tokens = answer.prompt_eval_count
        return EmbeddingAnswer(
            model=answer.model,
            vectors=tuple(answer.embeddings),
            usage=None if tokens is None else Usage(prompt_tokens=tokens),
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell the tokens that Ollama counted, or estimate them."""
        return answer.usage or estimate(request)
