"""Counts the tokens of a chat without asking a provider, for those that cannot count.

It is a codec like any other, so that each dialect for counting is answered in its own form: its request is already the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.types import Dialect, Usage
from gateway.wire.canonical import ChatRequest, Document, Image, Part, Tool, ToolResult
from gateway.wire.canonical.tokens import TokenCount
from gateway.wire.codec import Losses
from gateway.wire.estimate import estimated_tokens, prompt_tokens

ESTIMATE: Final[Dialect] = "gateway.token_estimate"
"""The dialect that the gateway answers by itself."""

MEDIUM_TOKENS: Final = 1_000
"""What a picture or a file that is not text counts for; providers take between about 100 and 1,600 for a picture."""

_decode = msgspec.json.Decoder(TokenCount).decode
_encode = msgspec.json.encode


class TokenEstimate:
    """Four characters to a token, for words and tools alike; a fixed number for each medium."""

    dialect: Dialect = ESTIMATE
    names: Mapping[str, str] = MappingProxyType({})
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """No client speaks this dialect."""
        raise NotImplementedError

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:  # noqa: ARG002 - a codec is given them
        """Count at once; nothing of a request is lost on it."""
        return _encode(TokenCount(prompt_tokens=_count(request)))

    def decode_answer(self, body: bytes) -> TokenCount:
        """Read the count again."""
        return _decode(body)

    def encode_answer(self, answer: TokenCount, request: ChatRequest) -> bytes:  # noqa: ARG002 - a codec is given it
        """Write the count."""
        return _encode(answer)

    def usage(self, answer: TokenCount, request: ChatRequest) -> Usage:  # noqa: ARG002 - a codec is given them
        """Counting uses nothing."""
        return Usage()


def _count(request: ChatRequest) -> int:
    tools = sum(map(_tool_length, (tool for tool in request.tools if isinstance(tool, Tool))))
    media = sum(_media(message.parts) for message in request.messages)
    return prompt_tokens(request) + estimated_tokens(tools) + media * MEDIUM_TOKENS


def _tool_length(tool: Tool) -> int:
    return len(tool.name) + len(tool.description or "") + len(_encode(tool.parameters))


def _media(parts: tuple[Part, ...]) -> int:
    number = 0
    for part in parts:
        if isinstance(part, ToolResult):
            number += _media(part.content)
        elif isinstance(part, Image) or (isinstance(part, Document) and part.source.text is None):
            number += 1
    return number
