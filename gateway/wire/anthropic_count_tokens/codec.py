"""Counts of tokens, translated. https://platform.claude.com/docs/en/api/messages/count_tokens."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.anthropic_messages.codec import NAMES
from gateway.wire.anthropic_messages.encode import request_fields
from gateway.wire.anthropic_messages.request import decode_request
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import ChatRequest
from gateway.wire.canonical.tokens import TokenCount
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError


class _Answer(Struct):
    input_tokens: int


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.encode


class AnthropicCountTokensCodec:
    """A request for a message without what says how the answer is to come; the answer is one number."""

    dialect: Dialect = "anthropic.count_tokens"
    names: Mapping[str, str] = NAMES
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for the provider's model."""
        return _encode(request_fields(request, model, losses))

    def decode_answer(self, body: bytes) -> TokenCount:
        """Read a provider's count. Raises `WireError` when it is none."""
        try:
            return TokenCount(prompt_tokens=_decode(body).input_tokens)
        except UNREADABLE as error:
            raise WireError(f"the answer is no count of tokens: {error}") from None

    def encode_answer(self, answer: TokenCount, request: ChatRequest) -> bytes:  # noqa: ARG002 - a codec is given it
        """Write the count."""
        return _encode(_Answer(answer.prompt_tokens))

    def usage(self, answer: TokenCount, request: ChatRequest) -> Usage:  # noqa: ARG002 - a codec is given them
        """Counting uses nothing."""
        return Usage()
