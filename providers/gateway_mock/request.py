"""The part of an OpenAI chat request that the mock looks at."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest

_TOKENS_PER_IMAGE = 85
"""What OpenAI counts for an image of low detail."""


class Part(Struct):
    """One part of a message: text, an image, a file and so on."""

    type: str
    text: str | None = None


class Message(Struct):
    role: str
    content: str | list[Part] | None = None

    def text(self) -> str:
        """Join the text of all parts."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    def tokens(self) -> int:
        """Estimate: four characters to a token, a few for the frame, a fixed number for every picture."""
        images = 0
        if isinstance(self.content, list):
            images = sum(part.type == "image_url" for part in self.content)
        return 3 + -(-len(self.text()) // 4) + images * _TOKENS_PER_IMAGE


class Function(Struct):
    name: str
    parameters: dict[str, Any] | None = None


class Tool(Struct):
    type: str
    function: Function | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None


class ChatRequest(Struct):
    messages: list[Message]
    n: int | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None

    def last_user_message(self) -> str:
        return next((message.text() for message in reversed(self.messages) if message.role == "user"), "")

    def prompt_tokens(self) -> int:
        return sum(message.tokens() for message in self.messages)


_decode = msgspec.json.Decoder(ChatRequest).decode
_MAX_CHOICES = 128


def read(body: bytes) -> ChatRequest:
    """Decode a request; raises `InvalidRequest` as OpenAI would answer 400."""
    try:
        request = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid request: {error}.") from None
    if request.n is not None and not 1 <= request.n <= _MAX_CHOICES:
        raise InvalidRequest(f"Invalid 'n': expected a number from 1 to {_MAX_CHOICES}.", param="n")
    return request
