"""Rerank to and from the canonical form. https://docs.cohere.com/v2/reference/rerank."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.canonical.rerank import Ranked, RerankAnswer, RerankRequest
from gateway.wire.codec import Losses
from gateway.wire.cohere_rerank import usage as counts
from gateway.wire.dialect import WireError


class _Request(Struct):
    query: Any
    documents: list[Any]
    model: str = ""
    top_n: int | None = None
    top_k: int | None = None
    return_documents: bool | None = None
    max_tokens_per_doc: int | None = None


class _Result(Struct, omit_defaults=True):
    index: int
    relevance_score: float
    document: Any = None


class _Answer(Struct):
    results: list[_Result]
    id: str | None = None
    model: str | None = None
    meta: counts.Meta | None = None
    usage: counts.Counted | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)


class CohereRerankCodec:
    """Documents in the order of their relevance."""

    dialect: Dialect = "cohere.rerank"
    names: Mapping[str, str] = MappingProxyType({})
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> RerankRequest:  # noqa: ARG002 - never streamed
        """Read query and documents; `top_k` is Voyage's word for `top_n`."""
        request = read_request(_decode_request, body)
        if not request.documents:
            raise InvalidRequest("Invalid 'documents': the list must not be empty.", param="documents")
        fields = _decode_fields(body)
        return RerankRequest(
            dialect=self.dialect,
            model=model,
            query=request.query,
            documents=tuple(request.documents),
            top_n=request.top_n if request.top_n is not None else request.top_k,
            return_documents=bool(request.return_documents),
            max_tokens_per_doc=request.max_tokens_per_doc,
            extra={name: fields[name] for name in fields.keys() - _KNOWN if fields[name] is not None},
        )

    def encode_request(self, request: RerankRequest, model: str, losses: Losses) -> bytes:
        """Write a request; fields of another dialect's own are told to `losses`."""
        if request.dialect != self.dialect:
            for name in request.extra:
                losses.cannot(name)
        same = {
            "top_n": request.top_n,
            "return_documents": request.return_documents or None,
            "max_tokens_per_doc": request.max_tokens_per_doc,
            **(request.extra if request.dialect == self.dialect else {}),
        }
        body: dict[str, Any] = {"model": model, "query": request.query, "documents": request.documents}
        body |= {name: value for name, value in same.items() if value is not None}
        return msgspec.json.encode(body)

    def decode_answer(self, body: bytes) -> RerankAnswer:
        """Read an order."""
        try:
            answer = _decode_answer(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not an order of documents: {error}") from None
        return RerankAnswer(
            id=answer.id or "",
            model=answer.model or "",
            results=tuple(
                Ranked(index=one.index, score=one.relevance_score, document=one.document)
                for one in answer.results
            ),
            usage=counts.told(answer.meta, answer.usage),
        )

    def encode_answer(self, answer: RerankAnswer, request: RerankRequest) -> bytes:
        """Write an order, with the documents where the client wants them."""
        results = [_Result(one.index, one.score, _document(one, request)) for one in answer.results]
        used = self.usage(answer, request)
        meta: dict[str, Any] = {"billed_units": {"search_units": used.searches}} if used.searches else {}
        if used.prompt_tokens:
            meta["tokens"] = {"input_tokens": used.prompt_tokens}
        identity = {"id": answer.id} if answer.id else {}
        return msgspec.json.encode({**identity, "results": results, "meta": meta})

    def usage(self, answer: RerankAnswer, request: RerankRequest) -> Usage:
        """Tell what the provider says, or estimate."""
        return answer.usage or counts.estimated(request.query, request.documents)


def _document(ranked: Ranked, request: RerankRequest) -> Any:
    """Return the document as Cohere shows it, an object; None when the client did not want it."""
    if not request.return_documents:
        return None
    document = ranked.document
    if document is None and 0 <= ranked.index < len(request.documents):
        document = request.documents[ranked.index]
    return {"text": document} if isinstance(document, str) else document
