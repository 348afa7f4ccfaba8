"""Cohere's embeddings as a provider's dialect, API v2. https://docs.cohere.com/v2/reference/embed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest, EmbeddingTask
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.provider_only import ProviderOnly

OWN: Final = frozenset({"input_type", "max_tokens", "priority", "truncate"})
"""Cohere's own parameters, passed on when a client adds them to its request."""

_INPUT_TYPES: Final[Mapping[EmbeddingTask, str]] = {
    "query": "search_query",
    "question_answering": "search_query",
    "fact_verification": "search_query",
    "code_query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
_UNSAID: Final = "search_document"
"""Cohere insists on a type; a client that names none gets this one for documents and queries alike."""


class _ByType(Struct):
    floats: list[list[float]] = field(name="float")


class _Units(Struct):
    input_tokens: float | None = None


class _Meta(Struct):
    tokens: _Units | None = None
    billed_units: _Units | None = None


class _Answer(Struct):
    embeddings: _ByType
    meta: _Meta | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class CohereEmbedCodec(ProviderOnly[EmbeddingRequest, EmbeddingAnswer]):
    """Embeddings over `/v2/embed`, always as floats."""

    dialect: Dialect = "cohere.embed"
    content_type = "application/json"

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write a request; what Cohere has no word for is told to `losses`."""
        if any(not isinstance(one, str) for one in request.inputs):
            losses.cannot("inputs.tokens")
        if request.user is not None:
            losses.cannot("user")
        if request.task == "similarity":
            losses.cannot("task")
        body: dict[str, Any] = {
            "model": model,
            "texts": request.inputs,
            "input_type": _INPUT_TYPES.get(request.task, _UNSAID) if request.task else _UNSAID,
            "embedding_types": ["float"],
        }
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        for name, value in request.extra.items():
            if name in OWN:
                body[name] = value
            else:
                losses.cannot(name)
        return msgspec.json.encode(body)

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read vectors and what is on the bill."""
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not one of Cohere's embeddings: {error}") from None
        meta = answer.meta or _Meta()
        units = meta.tokens or meta.billed_units
        tokens = units.input_tokens if units else None
        return EmbeddingAnswer(
            model="",
            vectors=tuple(answer.embeddings.floats),
            usage=None if tokens is None else Usage(prompt_tokens=int(tokens)),
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell the tokens that Cohere counted, or estimate them."""
        return answer.usage or estimate(request)
