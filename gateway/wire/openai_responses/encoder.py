"""Writes a stream of response events for the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.types import Usage
from gateway.wire.built_in import BuiltInCalls, prefix_of
from gateway.wire.canonical import (
    AudioDelta,
    ChatRequest,
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
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from gateway.wire.openai_responses.answer import (
    INCOMPLETE,
    finished,
    image_item,
    reasoning_item,
    write_logprob,
)
from gateway.wire.openai_responses.sealed import DIALECT, seal, seal_call
from gateway.wire.openai_responses.shape import item_id, new_id, skeleton, tier_of
from gateway.wire.openai_responses.thoughts import FOREIGN
from gateway.wire.openai_responses.under_way import Calling, Log, Thoughts, Words
from gateway.wire.openai_responses.usage import write_usage


class ResponsesEncoder:
    """From the canonical form to events. The response's last event waits until usage is known."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._log = Log()
        self._response: dict[str, Any] = {}
        self._id = ""
        self._places = 0
        self._items: dict[int, dict[str, Any]] = {}
        self._words: Words | None = None
        self._words_place = 0
        self._said: list[tuple[int, Words]] = []
        """The messages, be they over or not, with how many characters came before: some providers tell at the end what they rest upon."""
        self._characters = 0
        self._thoughts: Thoughts | None = None
        self._thoughts_place = 0
        self._calls: dict[int, tuple[int, Calling]] = {}
        self._logprobs: list[dict[str, Any]] = []
        self._stop: StopReason | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._built_in = BuiltInCalls()
        self._writers: Mapping[type, Callable[[Any], None]] = {
            Start: self._start,
            TextDelta: self._text,
            RefusalDelta: self._refusal,
            AudioDelta: self._audio,
            CitationDelta: self._cited,
            LogprobsDelta: self._likely,
            ThinkingDelta: self._thought,
            ThinkingEnd: self._thought_over,
            ToolCallStart: self._call,
            ToolCallDelta: self._arguments,
            MediaDelta: self._picture,
            ForeignEvent: self._ran,
            Stop: self._stopped,
            UsageReport: self._used,
            End: self._end,
        }

    def encode(self, events: Sequence[Event]) -> bytes:
        """Write events; answers beside the first one have no place here and are left out."""
        for event in events:
            write = self._writers.get(type(event))
            if write is not None and not getattr(event, "choice", 0):
                write(event)
        out, self._log.out = b"".join(self._log.out), []
        return out

    def _start(self, event: Start) -> None:
        self._id = event.id if event.id.startswith("resp_") else new_id()
        self._response = skeleton(self._request, self._id, event.model, event.created)
        self._usage, self._tier = event.usage, event.service_tier
        self._log.event("response.created", {"response": self._response})
        self._log.event("response.in_progress", {"response": self._response})

    def _text(self, event: TextDelta) -> None:
        if event.text:
            self._say("output_text", event.text)

    def _refusal(self, event: RefusalDelta) -> None:
        self._say("refusal", event.text)

    def _audio(self, event: AudioDelta) -> None:
        if event.transcript:
            self._say("output_text", event.transcript)

    def _say(self, kind: str, text: str) -> None:
        if self._words is None:
            self._end_thoughts(None)
            self._words_place, own = self._next("msg")
            self._words = Words(self._log, self._words_place, own)
            self._said.append((self._characters, self._words))
            self._words.weigh(self._logprobs)
            self._logprobs = []
        self._words.say(kind, text)
        if kind == "output_text":
            self._characters += len(text)

    def _cited(self, event: CitationDelta) -> None:
        at = event.citation.start
        for start, words in reversed(self._said):
            if at is None or start <= at:
                words.cite(event.citation.moved(-start))
                return

    def _likely(self, event: LogprobsDelta) -> None:
        if self._words is None:
            self._logprobs += map(write_logprob, event.tokens)
        else:
            self._words.weigh(map(write_logprob, event.tokens))

    def _thought(self, event: ThinkingDelta) -> None:
        if event.text:
            self._begin_thoughts().think(event.text)

    def _thought_over(self, event: ThinkingEnd) -> None:
        thought = Thinking(
            signature=event.signature, encrypted=event.encrypted, id=event.id, origin=event.origin
        )
        sealed = seal(thought)
        if self._thoughts is not None or sealed is not None:
            self._begin_thoughts(event.id if event.origin == DIALECT else None)
            self._end_thoughts(sealed)

    def _begin_thoughts(self, id: str | None = None) -> Thoughts:
        if self._thoughts is None:
            self._end_words("completed")
            place, own = self._next(FOREIGN)
            self._thoughts_place = place
            self._thoughts = Thoughts(self._log, place, id or own)
        return self._thoughts

    def _call(self, event: ToolCallStart) -> None:
        self._end_thoughts(None)
        self._end_words("completed")
        if event.signature:
            place, own = self._next(FOREIGN)
            self._whole(place, reasoning_item(own, "", seal_call(event.id, event.signature)))
        place, own = self._next("ctc" if event.custom else "fc")
        call = ToolCall(id=event.id, name=event.name, arguments="", custom=event.custom)
        self._calls[event.index] = place, Calling(self._log, place, own, call)

    def _arguments(self, event: ToolCallDelta) -> None:
        if event.arguments:
            self._calls[event.index][1].argue(event.arguments)

    def _picture(self, event: MediaDelta) -> None:
        self._end_thoughts(None)
        self._end_words("completed")
        place, own = self._next("ig")
        self._whole(place, image_item(own, event.data))

    def _ran(self, event: ForeignEvent) -> None:
        for item in self._built_in.event(event):
            self._end_thoughts(None)
            self._end_words("completed")
            place, own = self._next(prefix_of(item))
            self._whole(place, {"id": own, **item})

    def _whole(self, place: int, item: dict[str, Any]) -> None:
        """Write an item that comes in one piece."""
        self._log.event("response.output_item.added", {"output_index": place, "item": item})
        self._log.event("response.output_item.done", {"output_index": place, "item": item})
        self._items[place] = item

    def _stopped(self, event: Stop) -> None:
        self._stop = event.reason
        status = "incomplete" if event.reason in INCOMPLETE else "completed"
        self._end_thoughts(None)
        self._end_words(status)
        for place, call in self._calls.values():
            self._items[place] = call.end(status)
        self._calls = {}

    def _used(self, event: UsageReport) -> None:
        self._usage, self._tier = event.usage, event.service_tier or self._tier

    def _end(self, _event: End) -> None:
        output = [self._items[place] for place in sorted(self._items)]
        response = {**self._response, "output": output, "usage": write_usage(self._usage)}
        response["service_tier"] = tier_of(self._tier, self._response.get("service_tier", "default"))
        response = finished(response, self._stop)
        self._log.event(f"response.{response['status']}", {"response": response})

    def _end_words(self, status: str) -> None:
        if self._words is not None:
            self._items[self._words_place] = self._words.end(status)
            self._words = None

    def _end_thoughts(self, sealed: str | None) -> None:
        if self._thoughts is not None:
            self._items[self._thoughts_place] = self._thoughts.end(sealed)
            self._thoughts = None

    def _next(self, prefix: str) -> tuple[int, str]:
        place = self._places
        self._places += 1
        return place, item_id(prefix, self._id, place)
