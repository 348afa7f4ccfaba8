"""Streamed answers of Ollama's chat: lines of JSON. https://github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.wire.canonical import (
    End,
    Event,
    LogprobsDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.ollama_chat import answer

MAX_LINE_BYTES = 8 * 1024 * 1024


class Decoder:
    """Reads one stream."""

    __slots__ = ("_calls", "_ended", "_first", "_rest", "failure")

    def __init__(self) -> None:
        self._rest = b""
        self._first: answer.Line | None = None
        self._calls = 0
        self._ended = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Return the events of the lines that are whole now; `failure` says what was wrong with the rest."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events: list[Event] = []
        try:
            for line in lines:
                if line.strip() and not self._ended:
                    self._read(line, events)
            if len(self._rest) > MAX_LINE_BYTES:
                raise WireError(f"a line of the answer is longer than {MAX_LINE_BYTES} bytes")  # noqa: TRY301 - as the others
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return events

    def end(self) -> Sequence[Event]:
        """Read a last line that no line end follows, and check that the answer was done."""
        events: list[Event] = []
        try:
            if self._rest.strip() and not self._ended:
                self._read(self._rest, events)
        except WireError:
            raise StreamCut from None
        if not self._ended:
            raise StreamCut
        return events

    def _read(self, text: bytes, events: list[Event]) -> None:
        line = answer.read(text)
        first = self._first
        if first is None:
            first = self._first = line
            events.append(Start(answer.identity(line), line.model, answer.created(line)))
        said = line.message
        if said is not None:
            if said.thinking:
                events.append(ThinkingDelta(said.thinking))
            if said.content:
                events.append(TextDelta(said.content))
            if line.logprobs:
                events.append(LogprobsDelta(answer.logprobs(line.logprobs)))
            for call in said.tool_calls or ():
                number = self._calls
                self._calls += 1
                identity = answer.call_id(first, call, number)
                events.append(ToolCallStart(number, identity, call.function.name))
                events.append(ToolCallDelta(number, bytes(call.function.arguments).decode()))
        if line.done:
            self._end(line, events)

    def _end(self, line: answer.Line, events: list[Event]) -> None:
        events.append(Stop(answer.stop(line, calls=self._calls > 0)))
        usage = answer.usage(line)
        if usage is not None:
            events.append(UsageReport(usage))
        events.append(End())
        self._ended = True
