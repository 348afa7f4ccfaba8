"""Answers of ConverseStream: event-stream frames, each named by its `:event-type`.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.aws_event_stream import Frame, FrameReader
from gateway.wire.bedrock_converse.answer import STOPS, TokenUsage, Trace, new_id, read_usage
from gateway.wire.bedrock_converse.blocks import DIALECT
from gateway.wire.bedrock_converse.citations import CitationBlock, decode_citation
from gateway.wire.bedrock_converse.media import IMAGES, MediaSource, media_type
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    MediaDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError

STATUSES: Final[Mapping[str, int]] = {
    "internalServerException": 500,
    "modelStreamErrorException": 424,
    "modelTimeoutException": 408,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
}
"""Which status an exception inside a stream would have had as an answer."""


class _ToolStart(Struct):
    toolUseId: str  # noqa: N815 - the wire's own spelling
    name: str
    type: str | None = None


class _ImageStart(Struct):
    format: str | None = None


class _Opening(Struct):
    toolUse: _ToolStart | None = None  # noqa: N815
    image: _ImageStart | None = None


class _BlockStart(Struct):
    contentBlockIndex: int  # noqa: N815
    start: _Opening


class _ToolDelta(Struct):
    input: str = ""


class _ReasoningDelta(Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None  # noqa: N815


class _ImageDelta(Struct):
    source: MediaSource | None = None


class _Delta(Struct):
    text: str | None = None
    toolUse: _ToolDelta | None = None  # noqa: N815
    reasoningContent: _ReasoningDelta | None = None  # noqa: N815
    citation: CitationBlock | None = None
    image: _ImageDelta | None = None


class _BlockDelta(Struct):
    contentBlockIndex: int  # noqa: N815
    delta: _Delta


class _BlockStop(Struct):
    contentBlockIndex: int  # noqa: N815


class _MessageStop(Struct):
    stopReason: str | None = None  # noqa: N815


class _Metadata(Struct):
    usage: TokenUsage | None = None
    trace: Trace | None = None


class _Problem(Struct):
    message: str | None = None
    originalStatusCode: int | None = None  # noqa: N815
    originalMessage: str | None = None  # noqa: N815


_read_start = msgspec.json.Decoder(_BlockStart).decode
_read_delta = msgspec.json.Decoder(_BlockDelta).decode
_read_stop = msgspec.json.Decoder(_BlockStop).decode
_read_message_stop = msgspec.json.Decoder(_MessageStop).decode
_read_metadata = msgspec.json.Decoder(_Metadata).decode
_read_problem = msgspec.json.Decoder(_Problem).decode


class _Tool:
    """A tool call that is being written."""

    __slots__ = ("empty", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.empty = True


class ConverseDecoder:
    """Reads a stream of ConverseStream, cut anywhere."""

    __slots__ = (
        "_ended",
        "_frames",
        "_handlers",
        "_image",
        "_signature",
        "_stop",
        "_tools",
        "_tools_seen",
        "failure",
    )

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._tools: dict[int, _Tool] = {}
        self._tools_seen = 0
        self._signature = ""
        self._image: str | None = None
        self._stop: _MessageStop | None = None
        self._ended = False
        self.failure: Exception | None = None
        self._handlers: Mapping[str, Callable[[bytes], Sequence[Event]]] = {
            "messageStart": self._message_start,
            "contentBlockStart": self._block_start,
            "contentBlockDelta": self._block_delta,
            "contentBlockStop": self._block_stop,
            "messageStop": self._message_stop,
            "metadata": self._metadata,
        }

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Return the events that are whole now."""
        frames = self._frames.feed(chunk)
        events: list[Event] = []
        try:
            for frame in frames:
                events += self._events(frame)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        except UNREADABLE as error:
            self.failure = WireError(f"an event is not one of ConverseStream: {error}")
        else:
            self.failure = self._frames.failure
        return events

    def end(self) -> Sequence[Event]:
        """Accept a stop without the metadata that should follow. Raises `StreamCut` without one."""
        if self._ended:
            return ()
        if self._stop is None or self._frames.rest:
            raise StreamCut
        return self._last(_Metadata())

    def _events(self, frame: Frame) -> Sequence[Event]:
        headers = frame.headers
        handler = self._handlers.get(headers.get(":event-type", ""))
        if handler is not None:
            return handler(frame.payload)
        if headers.get(":message-type") in {"exception", "error"}:
            raise stream_failure(frame)
        return ()  # a kind of event that came later than this program

    def _message_start(self, _payload: bytes) -> Sequence[Event]:
        return (Start(new_id(), ""),)

    def _block_start(self, payload: bytes) -> Sequence[Event]:
        block = _read_start(payload)
        tool, image = block.start.toolUse, block.start.image
        if image is not None:
            self._image = image.format
        if tool is None or tool.type is not None:
            return () if image is not None else _foreign(payload)
        started = self._tools[block.contentBlockIndex] = _Tool(self._tools_seen)
        self._tools_seen += 1
        return (ToolCallStart(started.index, tool.toolUseId, tool.name),)

    def _block_delta(self, payload: bytes) -> Sequence[Event]:
        block = _read_delta(payload)
        delta = block.delta
        if delta.text is not None:
            return (TextDelta(delta.text),)
        if delta.toolUse is not None:
            tool = self._tools.get(block.contentBlockIndex)
            if tool is None:
                return _foreign(payload)  # of a tool that Bedrock has run itself
            if not delta.toolUse.input:
                return ()
            tool.empty = False
            return (ToolCallDelta(tool.index, delta.toolUse.input),)
        if delta.reasoningContent is not None:
            return self._reasoning(delta.reasoningContent)
        return self._rare(delta) or _foreign(payload)

    def _rare(self, delta: _Delta) -> Sequence[Event]:
        if delta.citation is not None:
            return (CitationDelta(decode_citation(delta.citation)),)
        source = delta.image.source if delta.image is not None else None
        if source is not None and source.bytes is not None:
            return (MediaDelta(media_type(self._image, IMAGES) or "image/png", source.bytes),)
        return ()

    def _reasoning(self, delta: _ReasoningDelta) -> Sequence[Event]:
        if delta.redactedContent is not None:
            return (ThinkingEnd(encrypted=delta.redactedContent, origin=DIALECT),)
        if delta.text:
            return (ThinkingDelta(delta.text),)
        self._signature += delta.signature or ""
        return ()

    def _block_stop(self, payload: bytes) -> Sequence[Event]:
        tool = self._tools.pop(_read_stop(payload).contentBlockIndex, None)
        if tool is not None:
            return (ToolCallDelta(tool.index, "{}"),) if tool.empty else ()
        signature, self._signature = self._signature, ""
        return (ThinkingEnd(signature=signature, origin=DIALECT),) if signature else ()

    def _message_stop(self, payload: bytes) -> Sequence[Event]:
        self._stop = _read_message_stop(payload)
        return ()  # what guardrails found comes with the metadata

    def _metadata(self, payload: bytes) -> Sequence[Event]:
        return self._last(_read_metadata(payload)) if not self._ended else ()

    def _last(self, metadata: _Metadata) -> Sequence[Event]:
        stop = self._stop
        if stop is None:
            raise WireError("the stream reports its usage before the answer has ended")
        self._ended = True
        events: list[Event] = [
            Stop(
                STOPS.get(stop.stopReason or "", "stop"),
                safety=metadata.trace.guardrail if metadata.trace else None,
            )
        ]
        usage = read_usage(metadata.usage)
        if usage is not None:
            events.append(UsageReport(usage))
        return [*events, End()]


def stream_failure(frame: Frame) -> StreamFailed:
    """Return the error that Bedrock put into a stream, also one of InvokeModel. Raises msgspec's for what is no JSON."""
    headers = frame.headers
    if headers.get(":message-type") == "error":
        name, problem = headers.get(":error-code", "error"), _Problem(headers.get(":error-message"))
    else:
        name, problem = headers.get(":exception-type", "exception"), _read_problem(frame.payload)
    status, original = STATUSES.get(name), problem.originalStatusCode
    if original is not None and 400 <= original <= 599:  # noqa: PLR2004 - HTTP's range of errors
        status = original
    message = problem.message or problem.originalMessage or f"Bedrock reported {name} in its stream"
    return StreamFailed(message, type=None, code=name, status=status)


def _foreign(payload: bytes) -> Sequence[Event]:
    value: Any = msgspec.json.decode(payload)
    return (ForeignEvent(DIALECT, value),)
