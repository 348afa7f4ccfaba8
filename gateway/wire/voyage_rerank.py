"""Voyage's rerank as a provider's dialect. https://docs.voyageai.com/reference/reranker-api."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.rerank import Ranked, RerankAnswer, RerankRequest
from gateway.wire.codec import Losses
from gateway.wire.cohere_rerank import usage as counts
from gateway.wire.dialect import WireError
from gateway.wire.provider_only import ProviderOnly

OWN: Final = frozenset({"truncation"})
"""Voyage's own parameters, passed on when a client adds them to its request."""


class _Result(Struct):
    index: int
    relevance_score: float
    document: Any = None


class _Answer(Struct):
    data: list[_Result]
    model: str = ""
    usage: counts.Counted | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class VoyageRerankCodec(ProviderOnly[RerankRequest, RerankAnswer]):
    """Documents in the order of their relevance: Cohere's fields under other names."""

    dialect: Dialect = "voyage.rerank"
    content_type = "application/json"

    def encode_request(self, request: RerankRequest, model: str, losses: Losses) -> bytes:
        """Write a request; documents are texts, and where they are cut is Voyage's affair."""
        texts = [_text(document) for document in request.documents]
        if any(text is None for text in texts):
            losses.cannot("documents.fields")
        if not isinstance(request.query, str):
            losses.cannot("query.fields")
        if request.max_tokens_per_doc is not None:
            losses.cannot("max_tokens_per_doc")
        body: dict[str, Any] = {"model": model, "query": request.query, "documents": texts}
        if request.top_n is not None:
            body["top_k"] = request.top_n
        return msgspec.json.encode(body | losses.kept(request.extra, OWN))

    def decode_answer(self, body: bytes) -> RerankAnswer:
        """Read an order."""
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not an order of documents: {error}") from None
        results = tuple(
            Ranked(index=one.index, score=one.relevance_score, document=one.document) for one in answer.data
        )
        return RerankAnswer(model=answer.model, results=results, usage=counts.told(None, answer.usage))

    def usage(self, answer: RerankAnswer, request: RerankRequest) -> Usage:
        """Tell what Voyage says, or estimate."""
        return answer.usage or counts.estimated(request.query, request.documents)


def _text(document: Any) -> str | None:
    """Return the text of a document: itself, or that of an object with nothing but a text."""
    if isinstance(document, str):
        return document
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    text = fields.get("text")
    return text if isinstance(text, str) and len(fields) == 1 else None
