"""Gemini's generateContent, as a dialect that can be translated."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from gateway.types import Dialect, Usage
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import EventDecoder, EventEncoder, Losses
from gateway.wire.estimate import usage_of
from gateway.wire.gemini_generate.answer import decode_answer, encode_answer
from gateway.wire.gemini_generate.decoder import GeminiDecoder
from gateway.wire.gemini_generate.encoder import GeminiEncoder
from gateway.wire.gemini_generate.request import decode_request, encode_request
from gateway.wire.gemini_generate.shapes import DIALECT


class GeminiGenerateCodec:
    """generateContent and streamGenerateContent."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = {
        "messages": "contents",
        "max_tokens": "generationConfig.maxOutputTokens",
        "temperature": "generationConfig.temperature",
        "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK",
        "stop": "generationConfig.stopSequences",
        "seed": "generationConfig.seed",
        "n": "generationConfig.candidateCount",
        "presence_penalty": "generationConfig.presencePenalty",
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "logprobs": "generationConfig.responseLogprobs",
        "top_logprobs": "generationConfig.logprobs",
        "reasoning": "generationConfig.thinkingConfig",
        "response_format": "generationConfig.responseJsonSchema",
        "modalities": "generationConfig.responseModalities",
        "audio": "generationConfig.speechConfig",
        "tool_choice": "toolConfig.functionCallingConfig",
        "metadata": "labels",
        "service_tier": "serviceTier",
        "tools.strict": "toolConfig.functionCallingConfig.mode",
    }
    content_type = "application/json"
    takes_n = True

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for the provider."""
        return encode_request(request, model, losses)

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's whole answer."""
        return decode_answer(body)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write a whole answer for the client."""
        if answer.usage is None:
            answer = structs.replace(answer, usage=self.usage(answer, request))
        return encode_answer(answer, request)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what the provider says, or estimate."""
        return usage_of(answer, request)

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream of a provider."""
        return GeminiDecoder()

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream to the client who asked this."""
        return GeminiEncoder(request)
