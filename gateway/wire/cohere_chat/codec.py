"""Cohere's chat as a provider's dialect. https://docs.cohere.com/v2/reference/chat."""

from __future__ import annotations

from gateway.types import Dialect, Usage
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import Losses
from gateway.wire.cohere_chat.answer import decode_answer
from gateway.wire.cohere_chat.request import encode_request
from gateway.wire.cohere_chat.stream import Decoder
from gateway.wire.estimate import usage_of
from gateway.wire.provider_only import ProviderOnly


class CohereChatCodec(ProviderOnly[ChatRequest, ChatAnswer]):
    """Chat over `/v2/chat`, whole and streamed."""

    dialect: Dialect = "cohere.chat"
    content_type = "application/json"
    takes_n = False

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request."""
        return encode_request(request, model, losses)

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a whole answer."""
        return decode_answer(body)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell the tokens that Cohere counted, or estimate them."""
        return usage_of(answer, request)

    def decoder(self) -> Decoder:
        """Make a reader for one stream."""
        return Decoder()
