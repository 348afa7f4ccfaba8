"""Embeddings of Gemini's, where both sides speak them. https://ai.google.dev/api/embeddings."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.gemini_count_tokens import resource
from gateway.wire.gemini_embed.shapes import DIALECT, UsageMetadata
from gateway.wire.gemini_errors import error_body
from gateway.wire.whole import WholeAnswers


class _Request(Struct):
    content: dict[str, Any] | None = None
    requests: list[dict[str, Any]] | None = None


class _Answer(Struct, rename="camel"):
    usage_metadata: UsageMetadata | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


class GeminiEmbed(WholeAnswers):
    """embedContent and batchEmbedContents; never streamed."""

    name: Dialect = DIALECT
    capability: Capability = "embedding"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Check that there is something to embed."""
        if not given.model:
            raise InvalidRequest("The path names no model: /v1beta/models/MODEL:embedContent.", param="model")
        request = read_request(_decode_request, body)
        if not (request.content or request.requests):
            raise InvalidRequest("Give 'content', or in a batch 'requests', to embed.", param="content")
        return Head(given.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model's name where requests name it, for it must be that of the path."""
        fields = _decode_fields(call.body)
        ones: list[dict[str, Any]] = fields.get("requests") or [fields]
        named = [one for one in ones if one.get("model") not in {None, resource(model)}]
        for one in named:
            one["model"] = resource(model)
        return msgspec.json.encode(fields) if named else call.body

    def usage(self, body: bytes) -> Usage | None:
        """Find usage, which newer models tell."""
        answer = read_answer(_decode_answer, body)
        told = answer.usage_metadata if answer else None
        count = (told.prompt_token_count or told.total_token_count) if told else None
        return None if count is None else Usage(prompt_tokens=count)

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - the answer holds no text
        """Estimate from the text of the request."""
        return Usage(prompt_tokens=tokens_asked(call.body), estimated=True)

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Google does."""
        return error_body(error)


def tokens_asked(body: bytes) -> int:
    """Estimate the tokens of what a request wants to be embedded."""
    return estimated_tokens(text_length(body, "content") + text_length(body, "requests"))
