"""Gemini's countTokens: a wire where both sides speak it, and a codec. https://ai.google.dev/api/tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.canonical import ChatRequest
from gateway.wire.canonical.tokens import TokenCount
from gateway.wire.codec import Losses
from gateway.wire.dialect import PLAIN, Given, Head, WireError
from gateway.wire.gemini_errors import error_body
from gateway.wire.gemini_generate.codec import GeminiGenerateCodec
from gateway.wire.gemini_generate.keys import decoder_of
from gateway.wire.whole import WholeAnswers

WHOLE = "generateContentRequest"
"""The field for a request with more than `contents`."""


class _Request(Struct, rename="camel"):
    contents: list[Any] | None = None
    generate_content_request: dict[str, Any] | None = None


class _Answer(Struct, rename="camel", omit_defaults=True):
    total_tokens: int
    cached_content_token_count: int | None = None


_fields = decoder_of(dict[str, Any])
_decode_request = decoder_of(_Request)
_decode_answer = msgspec.json.Decoder(_Answer).decode


class GeminiCountTokens(WholeAnswers):
    """Counts the tokens of a chat; never streamed."""

    name: Dialect = "gemini.count_tokens"
    capability: Capability = "tokens"

    def read(self, body: bytes, given: Given = PLAIN, /) -> Head:
        """Check that there is something to count."""
        if not given.model:
            raise InvalidRequest("The path names no model: /v1beta/models/MODEL:countTokens.", param="model")
        request = read_request(_decode_request, body)
        if not (request.contents or request.generate_content_request):
            raise InvalidRequest("Give 'contents', or 'generateContentRequest', to count.", param="contents")
        return Head(given.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Name the model in the request within the request; it must be that of the path."""
        fields = _fields(call.body)
        if not fields.get(WHOLE):
            return call.body
        fields[WHOLE]["model"] = resource(model)
        return msgspec.json.encode(fields)

    def usage(self, body: bytes) -> Usage:
        """Counting uses nothing. Raises `WireError` for an answer without a count."""
        _read(body)
        return Usage()

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - nothing is used
        """Counting uses nothing."""
        return Usage()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Google does."""
        return error_body(error)


class GeminiCountTokensCodec:
    """countTokens, to and from the canonical form."""

    dialect: Dialect = "gemini.count_tokens"
    names: Mapping[str, str] = GeminiGenerateCodec.names
    content_type = "application/json"

    def __init__(self) -> None:
        self._chats = GeminiGenerateCodec()

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read the chat whose tokens are to be counted."""
        fields = read_request(_fields, body)
        inner = fields.get(WHOLE) or fields
        return self._chats.decode_request(msgspec.json.encode(inner), model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write the whole chat; with `contents` alone, tools and instructions would not count."""
        chat = msgspec.json.decode(self._chats.encode_request(request, model, losses))
        return msgspec.json.encode({WHOLE: {"model": resource(model), **chat}})

    def decode_answer(self, body: bytes) -> TokenCount:
        """Read a count."""
        answer = _read(body)
        return TokenCount(prompt_tokens=answer.total_tokens, cached_tokens=answer.cached_content_token_count)

    def encode_answer(self, answer: TokenCount, request: ChatRequest) -> bytes:  # noqa: ARG002 - a count is a count
        """Write a count."""
        return msgspec.json.encode(_Answer(answer.prompt_tokens, answer.cached_tokens))

    def usage(self, answer: TokenCount, request: ChatRequest) -> Usage:  # noqa: ARG002 - nothing is used
        """Counting uses nothing."""
        return Usage()


def resource(model: str) -> str:
    """Return a model's name as requests within requests give it."""
    return model if model.startswith(("models/", "tunedModels/", "publishers/")) else f"models/{model}"


def _read(body: bytes) -> _Answer:
    try:
        return _decode_answer(body)
    except UNREADABLE as error:
        raise WireError(f"the answer is not a count of tokens: {error}") from None
