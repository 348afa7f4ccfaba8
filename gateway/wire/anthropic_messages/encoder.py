"""Writes a stream of Anthropic's Messages API. https://platform.claude.com/docs/en/build-with-claude/streaming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

import msgspec

from gateway.types import Usage
from gateway.wire.anthropic_messages.answer import RAW_STOPS, stop_details
from gateway.wire.anthropic_messages.citations import raw_citation
from gateway.wire.anthropic_messages.content import tool_id
from gateway.wire.anthropic_messages.seals import DIALECT, seal, seal_call
from gateway.wire.anthropic_messages.thinking import shows_thoughts
from gateway.wire.anthropic_messages.usage import raw_usage
from gateway.wire.canonical import (
    ChatRequest,
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.estimate import estimated_tokens, prompt_tokens

_encode = msgspec.json.encode
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
_START: Final = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
)
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_END: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_TEXT: Final = b'{"type":"text","text":""}'
_CITED: Final = b'{"type":"text","text":"","citations":[]}'
_THINKING: Final = b'{"type":"thinking","thinking":"","signature":""}'


class Encoder:
    """Writes one message: its blocks one after the other, and at the end the stop reason together with the usage."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._characters = 0
        self._next = 0
        """The index of the next block."""
        self._open: str | None = None
        """The type of the block that was begun last, while it is open."""
        self._cited = False
        self._calls: dict[int, _Call] = {}
        """Tool calls that are open: several, where the provider fills them in turns."""
        self._stop = Stop("stop")
        self._usage: Usage | None = None
        self._tier: str | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events; what belongs to further choices or only to other dialects is left out."""
        writers = self._writers
        written = [
            writers[type(event)](self, event)
            for event in events
            if type(event) in writers and not getattr(event, "choice", 0)
        ]
        return b"".join(written)

    def _begin(self, kind: str, block: bytes) -> bytes:
        """Begin a block; the one before it ends, unless it is a tool call that is not whole yet."""
        before = self._close()
        self._open = kind
        self._next += 1
        return before + _START % (self._next - 1, block)

    def _close(self) -> bytes:
        """End the block that was begun last, and every tool call that is whole."""
        closed = b""
        if self._open not in {None, "tool_use"}:
            closed = _STOP % (self._next - 1)
        self._open = None
        for number, call in list(self._calls.items()):
            if call.is_whole():
                closed += _STOP % call.block
                del self._calls[number]
        return closed

    def _start(self, event: Start) -> bytes:
        usage = event.usage or Usage(prompt_tokens=prompt_tokens(self._request))
        message: dict[str, Any] = {
            "id": event.id,
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": raw_usage(usage, event.service_tier),
        }
        return _event("message_start", {"message": message})

    def _text(self, event: TextDelta | RefusalDelta) -> bytes:
        self._characters += len(event.text)
        delta = _DELTA % (self._next - 1, b"text_delta", b"text", _encode(event.text))
        if self._open == "text" and not self._cited:
            return delta
        self._cited = False
        before = self._begin("text", _TEXT)
        return before + _DELTA % (self._next - 1, b"text_delta", b"text", _encode(event.text))

    def _thinking(self, event: ThinkingDelta) -> bytes:
        self._characters += len(event.text)
        before = b"" if self._open == "thinking" else self._begin("thinking", _THINKING)
        return before + _DELTA % (self._next - 1, b"thinking_delta", b"thinking", _encode(event.text))

    def _thinking_end(self, event: ThinkingEnd) -> bytes:
        thought = Thinking(
            signature=event.signature, encrypted=event.encrypted, id=event.id, origin=event.origin
        )
        sealed = seal(thought)
        if self._open != "thinking" and event.encrypted is not None:
            block = {"type": "redacted_thinking", "data": sealed}
            return self._begin("redacted_thinking", _encode(block)) + self._close()
        before = b"" if self._open == "thinking" else self._begin("thinking", _THINKING)
        signature = _DELTA % (self._next - 1, b"signature_delta", b"signature", _encode(sealed))
        return before + (signature if sealed else b"") + self._close()

    def _call(self, event: ToolCallStart) -> bytes:
        own = tool_id(event.id)
        block: dict[str, Any] = {"type": "tool_use", "id": own, "name": event.name, "input": {}}
        begun = b""
        if event.signature and shows_thoughts(self._request):
            begun = self._begin("redacted_thinking", _encode(seal_call(own, event.signature)))
        begun += self._begin("tool_use", _encode(block))
        self._calls[event.index] = _Call(self._next - 1)
        return begun

    def _arguments(self, event: ToolCallDelta) -> bytes:
        call = self._calls.get(event.index)
        if call is None:
            return b""  # its arguments were whole: nothing that follows can belong to them
        call.arguments.append(event.arguments)
        self._characters += len(event.arguments)
        return _DELTA % (call.block, b"input_json_delta", b"partial_json", _encode(event.arguments))

    def _citation(self, event: CitationDelta) -> bytes:
        before = b"" if self._open == "text" else self._begin("text", _CITED)
        self._cited = True
        citation = _encode(raw_citation(event.citation))
        return before + _DELTA % (self._next - 1, b"citations_delta", b"citation", citation)

    def _foreign(self, event: ForeignEvent) -> bytes:
        if event.dialect != DIALECT:
            return b""
        value: dict[str, Any] = event.value
        kind = str(value.get("type"))
        before = b""
        if kind == "content_block_start":
            before = self._close()
            self._open = "foreign"
            self._next += 1
        elif kind == "content_block_stop":
            self._open = None
        return before + _event(kind, {**value, "index": self._next - 1})

    def _hold(self, event: Stop) -> bytes:
        self._stop = event
        return b""

    def _count(self, event: UsageReport) -> bytes:
        self._usage, self._tier = event.usage, event.service_tier
        return b""

    def _end(self, _: End) -> bytes:
        closed = self._close()
        for call in self._calls.values():
            closed += _STOP % call.block
        self._calls.clear()
        delta: dict[str, Any] = {
            "stop_reason": RAW_STOPS[self._stop.reason],
            "stop_sequence": self._stop.sequence,
        }
        details = stop_details(self._stop.safety)
        if details is not None:
            delta["stop_details"] = details
        usage = self._usage or Usage(
            prompt_tokens=prompt_tokens(self._request), completion_tokens=estimated_tokens(self._characters)
        )
        return (
            closed + _event("message_delta", {"delta": delta, "usage": raw_usage(usage, self._tier)}) + _END
        )

    _writers: ClassVar[Mapping[type, Callable[[Encoder, Any], bytes]]] = MappingProxyType(
        {
            Start: _start,
            TextDelta: _text,
            RefusalDelta: _text,
            ThinkingDelta: _thinking,
            ThinkingEnd: _thinking_end,
            ToolCallStart: _call,
            ToolCallDelta: _arguments,
            CitationDelta: _citation,
            ForeignEvent: _foreign,
            Stop: _hold,
            UsageReport: _count,
            End: _end,
        }
    )


class _Call:
    """A tool call that is being filled."""

    __slots__ = ("arguments", "block")

    def __init__(self, block: int) -> None:
        self.block = block
        self.arguments: list[str] = []

    def is_whole(self) -> bool:
        """Whether its arguments are a whole JSON value by now."""
        try:
            msgspec.json.decode("".join(self.arguments))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return True


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **fields}))
