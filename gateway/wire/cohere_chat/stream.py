"""Streamed answers of Cohere's chat. https://docs.cohere.com/v2/docs/streaming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.wire import sse
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    LogprobsDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.cohere_chat import shapes
from gateway.wire.cohere_chat.messages import DIALECT, PLAN
from gateway.wire.dialect import StreamCut, StreamFailed, WireError


class _Content(Struct, gc=False):
    text: str | None = None
    thinking: str | None = None


class _Message(Struct):
    content: _Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: shapes.Call | list[shapes.Call] | None = None
    citations: shapes.Cited | list[shapes.Cited] | None = None


class _Delta(Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: shapes.Counted | None = None
    error: str | None = None


class _Event(Struct):
    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    logprobs: shapes.Logprobs | None = None
    message: Any = None


_NOTHING = _Message()
_decode = msgspec.json.Decoder(_Event).decode


class Decoder:
    """Reads one stream."""

    __slots__ = ("_calls", "_empty", "_ended", "_planning", "_split", "failure")

    def __init__(self) -> None:
        self._split = sse.EventSplitter()
        self._calls: dict[int, int] = {}
        self._empty: set[int] = set()
        self._planning = False
        self._ended = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Return the events that are whole now; `failure` says what was wrong with the rest."""
        events: list[Event] = []
        try:
            for event in self._split.feed(chunk).split(b"\n\n"):
                payload = sse.payload(event)
                if payload and payload != b"[DONE]" and not self._ended:
                    self._read(payload, events)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return events

    def end(self) -> Sequence[Event]:
        """Check that `message-end` has come."""
        if not self._ended:
            raise StreamCut
        return ()

    def _read(self, payload: bytes, events: list[Event]) -> None:
        event = _event(payload)
        message = (event.delta and event.delta.message) or _NOTHING
        match event.type:
            case "content-delta" | "content-start":
                self._content(event, message.content, events)
            case "tool-call-delta" | "tool-call-start":
                self._tool_call(event, message.tool_calls, events)
            case "tool-plan-delta":
                if message.tool_plan:
                    self._planning = True
                    events.append(ThinkingDelta(message.tool_plan))
            case "citation-start":
                events += _citations(message.citations)
            case "message-start":
                events.append(Start(id=event.id or "", model=""))
            case "message-end":
                self._end(event.delta or _Delta(), events)
            case "tool-call-end":
                self._end_tool_call(event.index or 0, events)
            case "":
                said = event.message if isinstance(event.message, str) else "the provider reported an error"
                raise StreamFailed(said, type=None, code=None, status=None)
            case _:
                pass  # content-end and citation-end say nothing new; others are not known

    def _content(self, event: _Event, content: _Content | list[Any] | None, events: list[Event]) -> None:
        if not isinstance(content, _Content):
            return
        if content.text:
            self._end_plan(events)
            events.append(TextDelta(content.text))
        elif content.thinking:
            self._end_plan(events)
            events.append(ThinkingDelta(content.thinking))
        likely = shapes.logprob(event.logprobs) if event.logprobs else None
        if likely:
            events.append(LogprobsDelta((likely,)))

    def _tool_call(
        self, event: _Event, given: shapes.Call | list[shapes.Call] | None, events: list[Event]
    ) -> None:
        call = next(iter(given), None) if isinstance(given, list) else given
        function = call and call.function
        if call is None or function is None:
            return
        index = event.index or 0
        if event.type == "tool-call-start":
            if not function.name:
                raise WireError("a tool call has no name")
            self._end_plan(events)
            number = self._calls[index] = len(self._calls)
            self._empty.add(number)
            events.append(ToolCallStart(number, call.id or f"call_{number}", function.name))
        if function.arguments:
            if index not in self._calls:
                raise WireError("arguments came for a tool call that had not begun")
            self._empty.discard(self._calls[index])
            events.append(ToolCallDelta(self._calls[index], function.arguments))

    def _end_tool_call(self, index: int, events: list[Event]) -> None:
        """Give a tool call without arguments the empty object that clients expect."""
        number = self._calls.get(index)
        if number in self._empty:
            self._empty.discard(number)
            events.append(ToolCallDelta(number, "{}"))

    def _end_plan(self, events: list[Event]) -> None:
        if self._planning:
            self._planning = False
            events.append(ThinkingEnd(id=PLAN, origin=DIALECT))

    def _end(self, delta: _Delta, events: list[Event]) -> None:
        reason = delta.finish_reason or "COMPLETE"
        if delta.error or reason in shapes.FAILED:
            said = delta.error or shapes.FAILED[reason]
            raise StreamFailed(said, type=None, code=reason.lower(), status=None)
        self._end_plan(events)
        events.append(Stop(shapes.STOPS.get(reason, "stop")))
        usage = shapes.usage(delta.usage)
        if usage:
            events.append(UsageReport(usage))
        events.append(End())
        self._ended = True


def _event(payload: bytes) -> _Event:
    try:
        return _decode(payload)
    except UNREADABLE as error:
        raise WireError(f"a streamed event is not one of Cohere's: {error}") from None


def _citations(given: shapes.Cited | list[shapes.Cited] | None) -> Iterator[Event]:
    """Yield a citation for each source; those of thoughts and plans have no place."""
    for cited in given if isinstance(given, list) else [given] if given else []:
        if cited.type in {None, "TEXT_CONTENT"}:
            for citation in shapes.citations(cited):
                yield CitationDelta(citation)
