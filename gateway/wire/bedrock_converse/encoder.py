"""Writes an answer as ConverseStream does.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.types import Usage
from gateway.wire.aws_event_stream import frame
from gateway.wire.bedrock_converse.answer import stop_word, write_usage
from gateway.wire.bedrock_converse.citations import encode_citation
from gateway.wire.bedrock_converse.media import IMAGES
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    MediaDelta,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)

_TEXT: Final = "text"
_THOUGHT: Final = "thought"


class ConverseEncoder:
    """Counts content blocks. Text and thoughts are one at a time; tool calls stay open, for their deltas may mix."""

    def __init__(self) -> None:
        self._blocks = 0
        self._open = ""
        self._tools: dict[int, int] = {}
        self._stop: Stop | None = None
        self._usage: Usage | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events; of several choices only the first, for Converse knows but one."""
        return b"".join(self._write(event) for event in events if getattr(event, "choice", 0) == 0)

    def _write(self, event: Event) -> bytes:  # noqa: PLR0911 - one line for each kind of event
        match event:
            case Start():
                return _frame("messageStart", {"role": "assistant"})
            case TextDelta() | RefusalDelta():
                return self._enter(_TEXT) + self._delta({"text": event.text})
            case CitationDelta():
                return self._enter(_TEXT) + self._delta({"citation": encode_citation(event.citation)})
            case ThinkingDelta() | ThinkingEnd():
                return self._think(event)
            case ToolCallStart() | ToolCallDelta():
                return self._tool(event)
            case MediaDelta():
                return self._picture(event)
            case Stop() | UsageReport():
                self._note(event)
                return b""
            case End():
                return self._end()
            case _:
                return b""

    def _think(self, event: ThinkingDelta | ThinkingEnd) -> bytes:
        if isinstance(event, ThinkingDelta):
            return self._enter(_THOUGHT) + self._delta({"reasoningContent": {"text": event.text}})
        if event.encrypted is not None:
            said = {"redactedContent": event.encrypted}
            return (
                self._leave()
                + self._enter(_THOUGHT)
                + self._delta({"reasoningContent": said})
                + self._leave()
            )
        if event.signature is None:
            return self._leave()
        said = {"signature": event.signature}
        return self._enter(_THOUGHT) + self._delta({"reasoningContent": said}) + self._leave()

    def _tool(self, event: ToolCallStart | ToolCallDelta) -> bytes:
        if isinstance(event, ToolCallDelta):
            said = {"delta": {"toolUse": {"input": event.arguments}}}
            return _frame("contentBlockDelta", {**said, "contentBlockIndex": self._tools[event.index]})
        before = self._leave()
        number = self._tools[event.index] = self._next()
        start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
        return before + _frame("contentBlockStart", {"start": start, "contentBlockIndex": number})

    def _picture(self, event: MediaDelta) -> bytes:
        form = IMAGES.get(event.media_type)
        if form is None:
            return b""
        number = self._blocks
        start = _frame(
            "contentBlockStart", {"start": {"image": {"format": form}}, "contentBlockIndex": number}
        )
        return (
            self._leave()
            + start
            + self._enter("picture")
            + self._delta({"image": {"source": {"bytes": event.data}}})
            + self._leave()
        )

    def _note(self, event: Stop | UsageReport) -> None:
        if isinstance(event, Stop):
            self._stop = event
        else:
            self._usage = event.usage

    def _end(self) -> bytes:
        stop = self._stop or Stop("stop")
        parts = [self._leave()]
        parts += [
            _frame("contentBlockStop", {"contentBlockIndex": number}) for number in self._tools.values()
        ]
        parts.append(_frame("messageStop", {"stopReason": stop_word(stop.reason)}))
        metadata: dict[str, Any] = {"metrics": {"latencyMs": 0}}
        if self._usage is not None:
            metadata["usage"] = write_usage(self._usage)
        if stop.safety is not None:
            metadata["trace"] = {"guardrail": stop.safety}
        parts.append(_frame("metadata", metadata))
        return b"".join(parts)

    def _next(self) -> int:
        self._blocks += 1
        return self._blocks - 1

    def _enter(self, kind: str) -> bytes:
        """Open a block of that kind, unless it is open; text and thoughts begin without an event of their own."""
        if self._open == kind:
            return b""
        before = self._leave()
        self._open = kind
        self._next()
        return before

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _frame("contentBlockDelta", {"delta": delta, "contentBlockIndex": self._blocks - 1})

    def _leave(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _frame("contentBlockStop", {"contentBlockIndex": self._blocks - 1})


def _frame(name: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, msgspec.json.encode(payload))
