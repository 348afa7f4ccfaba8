"""Whole answers of Anthropic's Messages API, both ways. https://platform.claude.com/docs/en/api/messages/create."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.anthropic_messages.blocks import Block, parts
from gateway.wire.anthropic_messages.citations import raw_citation
from gateway.wire.anthropic_messages.content import tool_id
from gateway.wire.anthropic_messages.seals import DIALECT, seal, seal_call
from gateway.wire.anthropic_messages.usage import RawUsage, raw_usage, tier
from gateway.wire.anthropic_messages.usage import usage as counted
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    ChatAnswer,
    Choice,
    Foreign,
    Part,
    Refusal,
    StopReason,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.dialect import WireError

STOPS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop_sequence",
        "max_tokens": "length",
        "model_context_window_exceeded": "context",
        "tool_use": "tool_calls",
        "refusal": "refusal",
        "pause_turn": "pause",
    }
)
"""Anthropic's stop reasons; one that is new is taken for the ordinary one."""
RAW_STOPS: Final[Mapping[StopReason, str]] = MappingProxyType(
    {
        **{reason: name for name, reason in STOPS.items()},
        "content_filter": "refusal",
        "error": "end_turn",
    }
)
_KNOWN: Final = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)


class _Answer(Struct):
    id: str
    content: list[Block]
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None
    usage: RawUsage | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_decode_value = msgspec.json.Decoder(Any).decode


def decode_answer(body: bytes) -> ChatAnswer:
    """Read an answer. Raises `WireError` when it is none."""
    try:
        answer = _decode(body)
        content = parts(answer.content, "content")
    except msgspec.ValidationError as error:
        raise WireError(f"the answer is no message: {error}") from None
    except UNREADABLE as error:
        raise WireError(f"the answer is not valid JSON: {error}") from None
    except InvalidRequest as error:
        raise WireError(f"the answer is no message: {error.message}") from None
    choice = Choice(
        parts=content,
        stop=STOPS.get(answer.stop_reason, "stop") if answer.stop_reason else None,
        stop_sequence=answer.stop_sequence,
        safety=answer.stop_details,
    )
    more = _decode_fields(body).items()
    return ChatAnswer(
        id=answer.id,
        model=answer.model,
        choices=(choice,),
        usage=counted(answer.usage) if answer.usage else None,
        service_tier=tier(answer.usage),
        extra={name: value for name, value in more if name not in _KNOWN and value is not None},
    )


def encode_answer(answer: ChatAnswer, usage: Usage, *, shows_thoughts: bool) -> bytes:
    """Write an answer for a client; of several choices the first. `extra` is another dialect's, and left out.

    Clients that want thoughts get signatures of tool calls among them, for there is no other place for these.
    """
    choice = answer.choices[0] if answer.choices else Choice()
    fields: dict[str, Any] = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": list(_blocks(choice.parts, shows_thoughts=shows_thoughts)),
        "stop_reason": RAW_STOPS[choice.stop or "stop"],
        "stop_sequence": choice.stop_sequence,
        "usage": raw_usage(usage, answer.service_tier),
    }
    details = stop_details(choice.safety)
    if details is not None:
        fields["stop_details"] = details
    return msgspec.json.encode(fields)


def stop_details(safety: Any) -> Any:
    """Return safety results if they are Anthropic's own; clients could not read those of others."""
    own = isinstance(safety, dict) and cast("dict[str, Any]", safety).get("type") == "refusal"
    return cast("dict[str, Any]", safety) if own else None


def tool_input(arguments: str) -> Any:
    """Read a tool call's arguments; what is no object is put into one, for the client's own eyes to judge."""
    try:
        value = _decode_value(arguments.encode() or b"{}")
    except UNREADABLE:
        value = arguments
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"input": value}


def _blocks(given: Iterable[Part], *, shows_thoughts: bool) -> Iterator[dict[str, Any]]:
    for part in given:
        if isinstance(part, ToolCall) and part.signature and shows_thoughts:
            yield seal_call(tool_id(part.id), part.signature)
        block = _block(part)
        if block is not None:
            yield block


def _block(part: Part) -> dict[str, Any] | None:
    """Write a part; None for what Anthropic's answers never hold, as pictures and sound."""
    match part:
        case Text() | Refusal():
            return _text(part)
        case Thinking():
            return _thinking(part)
        case ToolCall():
            given = tool_input(part.arguments)
            return {"type": "tool_use", "id": tool_id(part.id), "name": part.name, "input": given}
        case Foreign(dialect=dialect) if dialect == DIALECT:
            return part.value
        case _:
            return None


def _text(part: Text | Refusal) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": part.text}
    if isinstance(part, Text) and part.citations:
        block["citations"] = [raw_citation(citation) for citation in part.citations]
    return block


def _thinking(thought: Thinking) -> dict[str, Any]:
    if thought.encrypted is not None and not thought.text:
        return {"type": "redacted_thinking", "data": seal(thought)}
    return {"type": "thinking", "thinking": thought.text, "signature": seal(thought)}
