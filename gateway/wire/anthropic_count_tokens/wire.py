"""Counts of tokens, passed through. https://platform.claude.com/docs/en/api/messages/count_tokens."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire.anthropic_messages.errors import error_body
from gateway.wire.anthropic_messages.wire import check_head, for_provider
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.whole import WholeAnswers


class _Request(Struct):
    model: str
    messages: list[Raw]


class _Answer(Struct):
    input_tokens: int


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode


class AnthropicCountTokens(WholeAnswers):
    """Counts what a request for a message would take; never streamed."""

    name: Dialect = "anthropic.count_tokens"
    capability: Capability = "tokens"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model."""
        request = read_request(_decode_request, body)
        check_head(request.model, request.messages)
        return Head(request.model)

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model's name where it differs."""
        return for_provider(call, model)

    def usage(self, body: bytes) -> Usage:
        """Counting uses nothing, if it is a count at all."""
        read_answer(_decode_answer, body)
        return Usage()

    def estimate(self, call: Call, body: bytes) -> Usage:  # noqa: ARG002 - a wire is given them
        """Counting uses nothing."""
        return Usage()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Anthropic does."""
        return error_body(error)
