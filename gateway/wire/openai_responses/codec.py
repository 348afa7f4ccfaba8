"""The Responses API, to the canonical form and from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.types import Dialect, Usage
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import Losses
from gateway.wire.estimate import usage_of
from gateway.wire.openai_responses.answer import decode_answer, encode_answer
from gateway.wire.openai_responses.compose import encode_request
from gateway.wire.openai_responses.decoder import ResponsesDecoder
from gateway.wire.openai_responses.encoder import ResponsesEncoder
from gateway.wire.openai_responses.request import decode_request
from gateway.wire.openai_responses.sealed import DIALECT

_NAMES: Final[Mapping[str, str]] = {
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "cache_key": "prompt_cache_key",
    "cache_control": "prompt_cache_breakpoint",
    "user": "safety_identifier",
    "thinking": "input.reasoning",
    "messages.image": "input.input_image",
    "messages.audio": "input.input_audio",
    "messages.document": "input.input_file",
    "messages.refusal": "input.refusal",
}


class ResponsesCodec:
    """Both directions, whole and streamed."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = _NAMES
    content_type = "application/json"
    takes_n = False

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request. Raises `InvalidRequest` naming the field at fault."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for a provider; what the API cannot say is told to `losses`."""
        return encode_request(request, model, losses)

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's response. Raises `WireError` when it is none, `StreamFailed` when it failed."""
        return decode_answer(body)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write a response for the client."""
        return encode_answer(answer, request)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what was used: as the provider says, or estimated."""
        return usage_of(answer, request)

    def decoder(self) -> ResponsesDecoder:
        """Make a reader for one stream of a provider."""
        return ResponsesDecoder()

    def encoder(self, request: ChatRequest) -> ResponsesEncoder:
        """Make a writer for one stream to the client who asked this."""
        return ResponsesEncoder(request)
