"""AIGNE's chat, from and to the canonical form. Only clients speak it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.types import Dialect, Usage
from gateway.wire.aigne_chat.answer import encode_answer
from gateway.wire.aigne_chat.encoder import AigneEncoder
from gateway.wire.aigne_chat.request import decode_request
from gateway.wire.aigne_chat.shapes import DIALECT
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.client_only import ClientOnly
from gateway.wire.codec import EventDecoder, EventEncoder
from gateway.wire.estimate import usage_of


class AigneChatCodec(ClientOnly[ChatRequest, ChatAnswer]):
    """Chats of AIGNE's framework, whole and streamed."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = MappingProxyType(
        {
            "max_tokens": "maxTokens",
            "top_p": "topP",
            "top_k": "topK",
            "presence_penalty": "presencePenalty",
            "frequency_penalty": "frequencyPenalty",
            "parallel_tool_calls": "parallelToolCalls",
            "reasoning": "reasoningEffort",
            "response_format": "responseFormat",
            "tool_choice": "toolChoice",
            "cache_control": "cacheControl",
        }
    )
    content_type = "application/json"
    takes_n = False

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request."""
        return decode_request(body, model=model, stream=stream)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write an answer for the client."""
        return encode_answer(answer, request, self.usage(answer, request))

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what the provider says, or estimate from the texts."""
        return usage_of(answer, request)

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream."""
        return AigneEncoder(request)

    def decoder(self) -> EventDecoder:
        """No provider streams in this dialect."""
        self._no_provider()
