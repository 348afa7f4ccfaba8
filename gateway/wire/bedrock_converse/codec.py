"""Converse as a dialect that can be translated."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.types import Dialect, Usage
from gateway.wire.bedrock_converse.answer import decode_answer, encode_answer
from gateway.wire.bedrock_converse.blocks import DIALECT
from gateway.wire.bedrock_converse.encoder import ConverseEncoder
from gateway.wire.bedrock_converse.incoming import decode_request
from gateway.wire.bedrock_converse.request import encode_request
from gateway.wire.bedrock_converse.stream import ConverseDecoder
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import EventDecoder, EventEncoder, Losses
from gateway.wire.estimate import usage_of


class BedrockConverse:
    """The codec of `bedrock.converse`."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = {
        "max_tokens": "inferenceConfig.maxTokens",
        "temperature": "inferenceConfig.temperature",
        "top_p": "inferenceConfig.topP",
        "stop": "inferenceConfig.stopSequences",
        "tools": "toolConfig.tools",
        "tool_choice": "toolConfig.toolChoice",
        "response_format": "outputConfig.textFormat",
        "reasoning": "outputConfig.effort",
        "metadata": "requestMetadata",
        "service_tier": "serviceTier",
        "cache_control": "cachePoint",
    }
    content_type = "application/json"
    takes_n = False

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a request; the model and whether it streams stand in the path."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request; the model matters for what each family of models calls otherwise."""
        return encode_request(request, model, losses)

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a whole answer."""
        return decode_answer(body)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:  # noqa: ARG002 - nothing in it matters
        """Write a whole answer."""
        return encode_answer(answer)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what was used."""
        return usage_of(answer, request)

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream."""
        return ConverseDecoder()

    def encoder(self, request: ChatRequest) -> EventEncoder:  # noqa: ARG002 - nothing in it matters
        """Make a writer for one stream."""
        return ConverseEncoder()
