"""Events, to AIGNE's stream for a client: server-sent events whose deltas add to texts and replace all else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.wire import sse
from gateway.wire.aigne_chat.answer import call_fields, names, structured, text_or_json, usage_fields
from gateway.wire.canonical import (
    AudioDelta,
    ChatRequest,
    End,
    Event,
    MediaDelta,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.openai_chat.words import FINISH


class _Call(Struct):
    """A call that is not whole yet."""

    start: ToolCallStart
    pieces: list[str]


class AigneEncoder:
    """Writes one stream. Calls, files and objects are told when they are whole, for a later delta replaces them."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._structured = structured(request)
        self._text: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._files: list[dict[str, str]] = []
        self._end: dict[str, Any] = {}

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events of the first choice."""
        return b"".join(self._event(event) for event in events if not getattr(event, "choice", 0))

    def _event(self, event: Event) -> bytes:  # noqa: C901 - one case an event
        match event:
            case TextDelta() | RefusalDelta() if not self._structured:
                return _words("text", event.text)
            case TextDelta() | RefusalDelta():
                self._text.append(event.text)
            case ThinkingDelta():
                return _words("thoughts", event.text)
            case AudioDelta(transcript=str(words)):
                return _words("text", words)
            case ToolCallStart():
                self._calls[event.index] = _Call(event, [])
            case ToolCallDelta():
                self._calls[event.index].pieces.append(event.arguments)
            case MediaDelta():
                self._files.append({"type": "file", "data": event.data, "mimeType": event.media_type})
            case Start():
                return _fields(names(event.model, self._request))
            case Stop():
                self._end["finishReason"] = FINISH[event.reason]
            case UsageReport():
                self._end["usage"] = usage_fields(event.usage)
            case End():
                return self._last()
            case _:
                pass  # AIGNE has no word for citations, probabilities and what else there is
        return b""

    def _last(self) -> bytes:
        calls = [
            call_fields(call.start.id, call.start.name, "".join(call.pieces), call.start.signature)
            for _, call in sorted(self._calls.items())
        ]
        said = text_or_json("".join(self._text), parse=not calls) if self._text else {}
        fields = {**said, "toolCalls": calls, "files": self._files}
        return _fields({**{name: value for name, value in fields.items() if value != []}, **self._end})


def _words(field: str, text: str) -> bytes:
    return sse.event(msgspec.json.encode({"delta": {"text": {field: text}}}))


def _fields(fields: dict[str, Any]) -> bytes:
    return sse.event(msgspec.json.encode({"delta": {"json": fields}}))
