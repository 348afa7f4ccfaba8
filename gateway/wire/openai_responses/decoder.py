"""Reads a provider's stream of response events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.wire import sse
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    CitationDelta,
    End,
    Event,
    ForeignEvent,
    LogprobsDelta,
    MediaDelta,
    RefusalDelta,
    Start,
    Stop,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.openai_responses.answer import (
    Picture,
    Response,
    read_item,
    read_logprob,
    stop_of,
    thought_of,
)
from gateway.wire.openai_responses.content import read_citations
from gateway.wire.openai_responses.sealed import DIALECT, unseal
from gateway.wire.openai_responses.usage import read_usage, tools_of
from gateway.wire.openai_responses.wire import LAST, NOTHING, failed


class _Event(Struct, gc=False):
    type: str = ""
    delta: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    logprobs: list[Any] | None = None
    annotation: Any = None
    item: Any = None
    response: Raw = NOTHING
    arguments: str = ""
    input: str = ""


class _Call(Struct):
    index: int
    written: bool = False


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(Response).decode
_SILENT: Final = frozenset(
    {
        "response.in_progress",
        "response.queued",
        "response.content_part.done",
        "response.refusal.done",
    }
)
"""Events that say nothing that others have not said."""
_THINKING: Final = ("response.reasoning_text.", "response.reasoning_summary_")
_WHOLE: Final = frozenset({"response.function_call_arguments.done", "response.custom_tool_call_input.done"})
_ARGUMENTS: Final = frozenset(
    {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}
)


class ResponsesDecoder:
    """From events to the canonical form."""

    def __init__(self) -> None:
        self._events = sse.EventSplitter()
        self._calls: dict[int, _Call] = {}
        self._thinks: set[int] = set()
        self._weighed = 0
        self._characters = 0
        self._starts: dict[tuple[int, int], int] = {}
        """How many characters come before a text, by output and content index."""
        self._refused = False
        self._finished = False
        self.failure: Exception | None = None

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Read bytes as they came; return what is whole."""
        found: list[Event] = []
        try:
            data = self._events.feed(chunk)
            for event in data[:-2].split(b"\n\n") if data else ():
                payload = sse.payload(event)
                if payload and payload != b"[DONE]":
                    self._read(payload, found)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return found

    def end(self) -> Sequence[Event]:
        """Raise `StreamCut` unless the response was said to be complete."""
        if not self._finished:
            raise StreamCut
        return ()

    def _read(self, payload: bytes, found: list[Event]) -> None:
        try:
            event = _decode_event(payload)
            kind = event.type
            if kind == "response.output_text.delta":
                if event.logprobs:
                    self._weigh(event.logprobs, found)
                self._characters += len(event.delta)
                found.append(TextDelta(event.delta))
            elif kind == "response.output_text.done":
                self._weigh((event.logprobs or ())[self._weighed :], found)
                self._weighed = 0
            elif kind in _ARGUMENTS:
                call = self._call(event.output_index)
                call.written = True
                found.append(ToolCallDelta(call.index, event.delta))
            elif kind.startswith(_THINKING):
                self._think(event, found)
            elif kind in _WHOLE:
                self._whole(event.output_index, event.arguments or event.input, found)
            elif kind not in _SILENT:
                self._rarely(event, payload, found)
        except UNREADABLE as error:
            raise WireError(f"a streamed event is not one of the Responses API: {error}") from None

    def _weigh(self, logprobs: Sequence[Any], found: list[Event]) -> None:
        if logprobs:
            self._weighed += len(logprobs)
            found.append(LogprobsDelta(tuple(map(read_logprob, logprobs))))

    def _think(self, event: _Event, found: list[Event]) -> None:
        place = event.output_index
        if event.type.endswith(".delta"):
            self._thinks.add(place)
            found.append(ThinkingDelta(event.delta))
        elif event.type == "response.reasoning_summary_part.added" and place in self._thinks:
            found.append(ThinkingDelta("\n\n"))

    def _rarely(self, event: _Event, payload: bytes, found: list[Event]) -> None:
        match event.type:
            case "response.refusal.delta":
                self._refused = True
                found.append(RefusalDelta(event.delta))
            case "response.content_part.added":
                self._starts[event.output_index, event.content_index] = self._characters
            case "response.output_item.added":
                self._added(event, found)
            case "response.output_item.done":
                self._done(event, found)
            case "response.output_text.annotation.added":
                start = self._starts.get((event.output_index, event.content_index), 0)
                found += [CitationDelta(one.moved(start)) for one in read_citations((event.annotation,))]
            case "response.created":
                response = _decode_response(event.response)
                found.append(Start(response.id, response.model, int(response.created_at)))
            case "error" | "response.failed":
                raise failed(payload)
            case kind if kind in LAST:
                self._last(_decode_response(event.response), found)
            case _:
                found.append(ForeignEvent(DIALECT, msgspec.json.decode(payload)))

    def _added(self, event: _Event, found: list[Event]) -> None:
        item = read_item(event.item)
        if item.type in {"function_call", "custom_tool_call"}:
            call = _Call(len(self._calls))
            self._calls[event.output_index] = call
            call_id = item.call_id or item.id or f"call_{call.index}"
            custom = item.type == "custom_tool_call"
            found.append(ToolCallStart(call.index, call_id, item.name, custom=custom))
            self._whole(event.output_index, item.arguments or item.input, found)

    def _whole(self, place: int, arguments: str, found: list[Event]) -> None:
        """Some services send the arguments in one piece at the end."""
        call = self._call(place)
        if arguments and not call.written:
            call.written = True
            found.append(ToolCallDelta(call.index, arguments))

    def _done(self, event: _Event, found: list[Event]) -> None:
        item = read_item(event.item)
        match item.type:
            case "function_call" | "custom_tool_call":
                if event.output_index not in self._calls:
                    self._added(event, found)
                self._whole(event.output_index, item.arguments or item.input, found)
            case "reasoning":
                text = thought_of(item)
                if text and event.output_index not in self._thinks:
                    found.append(ThinkingDelta(text))
                sealed = unseal(item.encrypted_content)
                found.append(
                    ThinkingEnd(
                        signature=sealed.signature,
                        encrypted=sealed.encrypted,
                        id=item.id,
                        origin=sealed.origin,
                    )
                )
            case "image_generation_call":
                picture = msgspec.convert(event.item, Picture)
                if picture.result:
                    found.append(MediaDelta(picture.media_type(), picture.result))
            case _:
                pass

    def _last(self, response: Response, found: list[Event]) -> None:
        reason: StopReason = stop_of(response, ())
        if reason == "stop" and (self._calls or self._refused):
            reason = "tool_calls" if self._calls else "refusal"
        found.append(Stop(reason))
        usage = read_usage(response.usage, tools_of(msgspec.json.encode(response.output)))
        if usage is not None:
            found.append(UsageReport(usage, response.service_tier))
        found.append(End())
        self._finished = True

    def _call(self, place: int) -> _Call:
        call = self._calls.get(place)
        if call is None:
            raise WireError("arguments of a tool call came before the call itself")
        return call
