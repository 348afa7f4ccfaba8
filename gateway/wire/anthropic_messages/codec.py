"""Ties the parts of the dialect together for translation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.types import Dialect, Usage
from gateway.wire.anthropic_messages.answer import decode_answer, encode_answer
from gateway.wire.anthropic_messages.encode import encode_request
from gateway.wire.anthropic_messages.encoder import Encoder
from gateway.wire.anthropic_messages.request import decode_request
from gateway.wire.anthropic_messages.seals import DIALECT
from gateway.wire.anthropic_messages.stream import Decoder
from gateway.wire.anthropic_messages.thinking import shows_thoughts
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import EventDecoder, EventEncoder, Losses
from gateway.wire.estimate import usage_of

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "stop": "stop_sequences",
        "response_format": "output_config.format",
        "reasoning": "thinking.budget_tokens",
        "user": "metadata.user_id",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    }
)


class AnthropicMessagesCodec:
    """Messages, whole and streamed."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = NAMES
    content_type = "application/json"
    takes_n = False

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for the provider's model."""
        return msgspec.json.encode(encode_request(request, model, losses))

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return decode_answer(body)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write a whole answer for the client, who is always told the usage."""
        return encode_answer(answer, self.usage(answer, request), shows_thoughts=shows_thoughts(request))

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what was used: as the provider says, or estimated."""
        return usage_of(answer, request)

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream of a provider."""
        return Decoder()

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream, which always tells the usage."""
        return Encoder(request)
