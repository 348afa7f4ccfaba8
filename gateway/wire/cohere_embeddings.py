"""Cohere's embeddings as they pass through, from Cohere's own clients. https://docs.cohere.com/v2/reference/embed."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.cohere_errors import error_body
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.model_field import name_model
from gateway.wire.whole import WholeAnswers


class _Request(Struct):
    model: str


class _Units(Struct):
    input_tokens: float | None = None


class _Meta(Struct):
    billed_units: _Units | None = None


class _Answer(Struct):
    meta: _Meta | None = None


_decode_request: Final = msgspec.json.Decoder(_Request).decode
_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


class CohereEmbeddings(WholeAnswers):
    """Embeddings; never streamed."""

    name: Dialect = "cohere.embed"
    capability: Capability = "embedding"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model."""
        request = read_request(_decode_request, body)
        if not request.model:
            raise InvalidRequest("You must provide a model parameter.", param="model")
        return Head(request.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model name where it differs."""
        return call.body if model == call.model else name_model(call.body, model)

    def usage(self, body: bytes) -> Usage | None:
        """Find the tokens on the bill in an answer."""
        answer = read_answer(_decode_answer, body)
        units = answer.meta.billed_units if answer and answer.meta else None
        if units is None or units.input_tokens is None:
            return None
        return Usage(prompt_tokens=int(units.input_tokens))

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - the answer says nothing
        """Estimate from the texts."""
        length = text_length(call.body, "texts") + text_length(call.body, "inputs")
        return Usage(prompt_tokens=estimated_tokens(length), estimated=True)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Cohere does."""
        return error_body(error)


class CohereEmbeddingsV1(CohereEmbeddings):
    """The same in API v1, whose answers are shaped otherwise."""

    name: Dialect = "cohere.embed_v1"
