"""A whole answer, as AIGNE's `ChatModelOutput`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.types import Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    ChatAnswer,
    ChatRequest,
    Choice,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.openai_chat.words import FINISH


def encode_answer(answer: ChatAnswer, request: ChatRequest, usage: Usage) -> bytes:
    """Write the first choice; AIGNE knows no others."""
    choice = answer.choices[0] if answer.choices else Choice()
    parts = choice.parts
    calls = [
        call_fields(part.id, part.name, part.arguments, part.signature)
        for part in parts
        if isinstance(part, ToolCall)
    ]
    files = [
        {"type": "file", "data": part.source.data, "mimeType": part.source.media_type or "image/png"}
        for part in parts
        if isinstance(part, Image) and part.source.data
    ]
    thoughts = "".join(part.text for part in parts if isinstance(part, Thinking))
    fields = {
        **names(answer.model, request),
        **text_or_json(
            "".join(part.text for part in parts if isinstance(part, Text | Refusal)),
            parse=structured(request) and not calls,
        ),
        "thoughts": thoughts,
        "toolCalls": calls,
        "files": files,
        "usage": usage_fields(usage),
        "finishReason": FINISH[choice.stop or "stop"],
    }
    return msgspec.json.encode({name: value for name, value in fields.items() if value not in ("", [])})


def names(model: str, request: ChatRequest) -> dict[str, str]:
    """Say which model it was: by the provider's name for it, and by that which can be asked for."""
    return {"model": model or request.model, "modelWithProvider": request.model}


def structured(request: ChatRequest) -> bool:
    """Whether the answer is to be an object."""
    return request.response_format is not None and request.response_format.type != "text"


def text_or_json(text: str, *, parse: bool) -> dict[str, Any]:
    """Return what was said as an object where that is wanted, and possible."""
    if parse:
        try:
            return {"json": msgspec.json.decode(text)}
        except UNREADABLE:
            pass  # what cannot be parsed is shown as it is: the client says so in its own words
    return {"text": text}


def call_fields(id: str, name: str, arguments: str, signature: str | None) -> dict[str, Any]:
    """Write a tool call; arguments that are no object stay text."""
    try:
        parsed: Any = msgspec.json.decode(arguments or "{}")
    except UNREADABLE:
        parsed = arguments
    call: dict[str, Any] = {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": parsed},
    }
    if signature is not None:
        call["metadata"] = {"thoughtSignature": signature}
    return call


def usage_fields(usage: Usage) -> Mapping[str, int]:
    """Write tokens; those of the cache are among the input tokens."""
    fields = {"inputTokens": usage.prompt_tokens, "outputTokens": usage.completion_tokens}
    if usage.cached_read_tokens:
        fields["cacheReadInputTokens"] = usage.cached_read_tokens
    if usage.cached_write_tokens:
        fields["cacheCreationInputTokens"] = usage.cached_write_tokens
    return fields
