"""Chat completions to and from the canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.types import Dialect, Usage
from gateway.wire.cache_hints import controlled
from gateway.wire.canonical import ChatAnswer, ChatRequest
from gateway.wire.codec import EventDecoder, EventEncoder, Losses
from gateway.wire.estimate import usage_of
from gateway.wire.openai_chat.answer import decode_answer
from gateway.wire.openai_chat.compose import encode_request, own_mark
from gateway.wire.openai_chat.decoder import ChatDecoder
from gateway.wire.openai_chat.encoder import ChatEncoder
from gateway.wire.openai_chat.reply import encode_answer
from gateway.wire.openai_chat.request import decode_request
from gateway.wire.openai_chat.words import DIALECT


class OpenAIChatCodec:
    """Chat completions, whole and streamed."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = MappingProxyType(
        {
            "max_tokens": "max_completion_tokens",
            "reasoning": "reasoning_effort",
            "cache_key": "prompt_cache_key",
            "cache_control": "prompt_cache_breakpoint",
            "thinking": "reasoning_details",
            "messages.image": "messages.content.image_url",
            "messages.audio": "messages.content.input_audio",
            "messages.video": "messages.content.video_url",
            "messages.document": "messages.content.file",
            "tools.strict": "tools.function.strict",
            "tools.web_search_options": "web_search_options",
            "tools.web_search_options.search_context_size": "web_search_options.search_context_size",
            "tools.web_search_options.user_location": "web_search_options.user_location",
        }
    )
    content_type = "application/json"
    takes_n = True

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request."""
        return decode_request(body, model=model, stream=stream)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for a provider."""
        return encode_request(request, model, losses, own_mark(request))

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """Read a provider's answer."""
        return decode_answer(body)

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write an answer for the client."""
        return encode_answer(answer, request)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what the provider says, or estimate from the texts."""
        return usage_of(answer, request)

    def decoder(self) -> EventDecoder:
        """Make a reader for one stream."""
        return ChatDecoder()

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream."""
        return ChatEncoder(request)


class OpenRouterChatCodec(OpenAIChatCodec):
    """The same for services that take Anthropic's hints for caching. https://openrouter.ai/docs/features/prompt-caching."""

    dialect: Dialect = "openrouter.chat"

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """Write a request for a provider; hints as `cache_control`."""
        return encode_request(request, model, losses, controlled)
