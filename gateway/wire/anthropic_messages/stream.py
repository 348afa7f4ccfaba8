"""Reads a stream of Anthropic's Messages API. https://platform.claude.com/docs/en/build-with-claude/streaming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.wire import sse
from gateway.wire.anthropic_messages.answer import STOPS
from gateway.wire.anthropic_messages.citations import citation
from gateway.wire.anthropic_messages.errors import failed
from gateway.wire.anthropic_messages.seals import DIALECT, unseal
from gateway.wire.anthropic_messages.usage import RawUsage, merged, tier, usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    ForeignEvent,
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

NOTHING: Final = Raw(b"")


class Message(Struct):
    """What `message_start` tells."""

    id: str = ""
    model: str = ""
    usage: RawUsage | None = None


class _Block(Struct):
    type: str
    id: str = ""
    name: str = ""
    input: Any = None
    text: str = ""
    thinking: str = ""
    data: str = ""


class Delta(Struct):
    """The `delta` of a block, or of the message."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class StreamEvent(Struct):
    """Any event."""

    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: _Block | None = None
    message: Message | None = None
    usage: RawUsage | None = None
    error: Raw = NOTHING


_decode = msgspec.json.Decoder(StreamEvent).decode
_decode_value = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


def read_event(payload: bytes) -> StreamEvent:
    """Read the data of one event. Raises `WireError`, and `StreamFailed` for an event that is an error."""
    try:
        event = _decode(payload)
    except msgspec.ValidationError as error:
        raise WireError(f"a streamed event is not as it should be: {error}") from None
    except UNREADABLE as error:
        raise WireError(f"a streamed event is not valid JSON: {error}") from None
    if event.type == "error":
        raise failed(bytes(event.error))
    return event


class Decoder:
    """Reads a stream, cut anywhere, into events of the canonical form."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._events = sse.EventSplitter()
        self._finished = False
        self._usage: RawUsage | None = None
        self._calls = 0
        self._input: bytes | None = None
        """What the open tool call's input is if no delta comes; None when one came, or no tool call is open."""
        self._foreign = False

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Return the events that are whole now; what is wrong stays in `failure`."""
        events: list[Event] = []
        try:
            data = self._events.feed(chunk)
            for raw in data[:-2].split(b"\n\n") if data else ():
                payload = sse.payload(raw)
                if payload:
                    self._read(payload, events)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return events

    def end(self) -> Sequence[Event]:
        """Only `message_stop` is an end. Raises `StreamCut`."""
        if not self._finished:
            raise StreamCut
        return ()

    def _read(self, payload: bytes, events: list[Event]) -> None:
        event = read_event(payload)
        match event.type:
            case "content_block_delta":
                self._delta(event, payload, events)
            case "content_block_start":
                self._begin(event.content_block or _Block(type=""), payload, events)
            case "content_block_stop":
                self._finish(payload, events)
            case "message_start":
                message = event.message or Message()
                self._usage = message.usage
                counted = usage(message.usage) if message.usage else None
                served = tier(message.usage)
                events.append(Start(message.id, message.model, usage=counted, service_tier=served))
            case "message_delta":
                self._usage = merged(self._usage, event.usage)
                delta = event.delta
                if delta is not None and delta.stop_reason is not None:
                    reason = STOPS.get(delta.stop_reason, "stop")
                    events.append(Stop(reason, sequence=delta.stop_sequence, safety=delta.stop_details))
                    events.append(UsageReport(usage(self._usage), tier(self._usage)))
            case "message_stop":
                self._finished = True
                events.append(End())
            case _:
                pass  # ping, and what is yet to come: clients are told to ignore what they do not know

    def _begin(self, block: _Block, payload: bytes, events: list[Event]) -> None:
        self._foreign = False
        match block.type:
            case "text":
                if block.text:
                    events.append(TextDelta(block.text))
            case "thinking":
                if block.thinking:
                    events.append(ThinkingDelta(block.thinking))
            case "redacted_thinking":
                thought = unseal("", block.data, encrypted=True)
                events.append(ThinkingEnd(encrypted=thought.encrypted, id=thought.id, origin=thought.origin))
            case "tool_use":
                events.append(ToolCallStart(self._calls, block.id or f"call_{self._calls}", block.name))
                self._input = _encode(block.input or {})
                self._calls += 1
            case _:
                self._foreign = True
                events.append(ForeignEvent(DIALECT, _decode_value(payload)))

    def _delta(self, event: StreamEvent, payload: bytes, events: list[Event]) -> None:
        delta = event.delta or Delta()
        match delta.type:
            case "text_delta":
                if delta.text:
                    events.append(TextDelta(delta.text))
            case "input_json_delta" if not self._foreign:
                if delta.partial_json:
                    if not self._calls:
                        raise WireError("the input of a tool comes before its call")
                    self._input = None
                    events.append(ToolCallDelta(self._calls - 1, delta.partial_json))
            case "thinking_delta":
                if delta.thinking:
                    events.append(ThinkingDelta(delta.thinking))
            case "signature_delta":
                thought = unseal("", delta.signature, encrypted=False)
                events.append(
                    ThinkingEnd(
                        signature=thought.signature,
                        encrypted=thought.encrypted,
                        id=thought.id,
                        origin=thought.origin,
                    )
                )
            case "citations_delta":
                events.append(CitationDelta(citation(delta.citation)))
            case _:
                events.append(ForeignEvent(DIALECT, _decode_value(payload)))

    def _finish(self, payload: bytes, events: list[Event]) -> None:
        if self._input is not None:
            events.append(ToolCallDelta(self._calls - 1, self._input.decode()))
            self._input = None
        if self._foreign:
            self._foreign = False
            events.append(ForeignEvent(DIALECT, _decode_value(payload)))
