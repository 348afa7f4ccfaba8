"""Rerank as clients ask for it. https://docs.cohere.com/v2/reference/rerank."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.cohere_errors import error_body
from gateway.wire.cohere_rerank import usage as counts
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.whole import WholeAnswers


class _Request(Struct):
    model: str
    query: Any
    documents: list[Any]
    top_n: int | None = None
    top_k: int | None = None


class _Answer(Struct):
    results: list[Raw]
    meta: counts.Meta | None = None
    usage: counts.Counted | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class CohereRerank(WholeAnswers):
    """Documents in the order of their relevance; never streamed."""

    name: Dialect = "cohere.rerank"
    capability: Capability = "rerank"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model, and whether there is something to order."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        if not request.query:
            raise InvalidRequest("Invalid 'query': it must not be empty.", param="query")
        if not request.documents:
            raise InvalidRequest("Invalid 'documents': the list must not be empty.", param="documents")
        return Head(request.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs, and say `top_n` for what Voyage's clients call `top_k`."""
        fields = _decode_fields(call.body)
        if model == call.model and "top_k" not in fields:
            return call.body
        fields["model"] = Raw(msgspec.json.encode(model))
        limit = fields.pop("top_k", None)
        if limit is not None:
            fields.setdefault("top_n", limit)
        return msgspec.json.encode(fields)

    def usage(self, body: bytes) -> Usage | None:
        """Find searches or tokens in an answer."""
        answer = read_answer(_decode_answer, body)
        return counts.told(answer.meta, answer.usage) if answer else None

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - the answer says nothing
        """Estimate from the query and the documents."""
        request = _decode_request(call.body)
        return counts.estimated(request.query, request.documents)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Cohere does."""
        return error_body(error)
