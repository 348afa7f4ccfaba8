"""Usage that a provider did not tell: estimated from the characters of a text."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.types import Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Document,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

BINARY_FIELDS: Final = frozenset({"file_data", "data", "b64_json"})


def text_length(body: bytes, field: str) -> int:
    """Count the characters of text in a field of a JSON object, however deep; data URLs and files count as little.

    A body that cannot be read whole counts with all its bytes.
    """
    try:
        values: list[Any] = [msgspec.json.decode(body).get(field)]
    except UNREADABLE:
        return len(body)
    length = 0
    while values:
        item = values.pop()
        if isinstance(item, str):
            length += len(item) if not item.startswith("data:") else 0
        elif isinstance(item, list):
            values += cast("list[Any]", item)
        elif isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            values += [part for key, part in fields.items() if key not in BINARY_FIELDS]
    return length


def estimated_tokens(characters: int) -> int:
    """Estimate tokens from characters: four to one, the rule of thumb for English text."""
    return -(-characters // 4)


def prompt_tokens(request: ChatRequest) -> int:
    """Estimate the tokens of a chat's messages; media count as nothing."""
    return estimated_tokens(sum(_length(part) for message in request.messages for part in message.parts))


def usage_of(answer: ChatAnswer, request: ChatRequest) -> Usage:
    """Tell what a chat used: as the provider says, or estimated from the texts."""
    if answer.usage is not None:
        return answer.usage
    completion = sum(estimated_tokens(sum(map(_length, choice.parts))) for choice in answer.choices)
    return Usage(prompt_tokens=prompt_tokens(request), completion_tokens=completion, estimated=True)


def _length(part: Part) -> int:
    match part:
        case Text() | Thinking() | Refusal():
            return len(part.text)
        case ToolCall():
            return len(part.name) + len(part.arguments)
        case ToolResult():
            return sum(map(_length, part.content))
        case Document():
            return len(part.source.text or "")
        case _:
            return 0
