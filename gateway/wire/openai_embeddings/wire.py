"""OpenAI embeddings. https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.model_field import name_model
from gateway.wire.openai_errors import error_body
from gateway.wire.whole import WholeAnswers


class _Request(Struct):
    model: str
    input: str | list[Raw]


class _Usage(Struct):
    prompt_tokens: int | None = None


class _Answer(Struct):
    usage: _Usage | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


class OpenAIEmbeddings(WholeAnswers):
    """Embeddings, as floats or base64; never streamed."""

    name: Dialect = "openai.embeddings"
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
        """Find usage in a list of embeddings."""
        answer = read_answer(_decode_answer, body)
        usage = answer.usage if answer else None
        if usage is None or usage.prompt_tokens is None:
            return None
        return Usage(prompt_tokens=usage.prompt_tokens)

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - the answer holds no text
        """Estimate from the text of the request; a list of token ids counts itself."""
        tokens = estimated_tokens(text_length(call.body, "input"))
        return Usage(prompt_tokens=tokens or _token_ids(call.body), estimated=True)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does."""
        return error_body(error)


def _token_ids(body: bytes) -> int:
    """Count the token ids of an input without text: a list of them, or of such lists."""
    given = _decode_request(body).input
    return sum(bytes(item).count(b",") + 1 for item in given) if isinstance(given, list) else 0
