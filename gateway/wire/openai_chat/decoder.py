"""A provider's stream of chat completion chunks, to events.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.wire import sse
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    AudioDelta,
    CitationDelta,
    End,
    Event,
    LogprobsDelta,
    MediaDelta,
    RefusalDelta,
    Start,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    UsageReport,
)
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.openai_chat.answer import (
    Annotation,
    ContentPart,
    Function,
    Picture,
    SoundFields,
    picture,
    read_citations,
    thinking_text,
)
from gateway.wire.openai_chat.calls import CallDelta, Calls
from gateway.wire.openai_chat.words import (
    LogprobsFields,
    UsageFields,
    read_logprobs,
    read_signature,
    read_thinking,
    read_usage,
    stop_reason,
)
from gateway.wire.openai_errors import stream_failed

_NOTHING: Final = Raw(b"")


class _Delta(Struct, gc=False):
    content: str | list[ContentPart] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: Function | None = None
    annotations: list[Annotation] | None = None
    audio: SoundFields | None = None
    images: list[Picture] | None = None
    extra_content: Any = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    logprobs: LogprobsFields | None = None
    content_filter_results: Any = None
    safety_results: Any = None


class _Chunk(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    service_tier: str | None = None
    error: Raw = _NOTHING


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatDecoder:
    """Reads a stream, cut anywhere."""

    __slots__ = (
        "_calls",
        "_done",
        "_splitter",
        "_started",
        "_stopped",
        "_thoughts",
        "_tier",
        "_usage",
        "failure",
    )

    def __init__(self) -> None:
        self._splitter = sse.EventSplitter()
        self._calls: dict[int, Calls] = {}
        """Of each choice that has begun."""
        self._stopped: set[int] = set()
        self._usage: UsageFields | None = None
        self._tier: str | None = None
        self._thoughts: dict[int, list[str]] = {}
        self._started = False
        self._done = False
        self.failure: Exception | None = None

    def feed(self, chunk: bytes) -> Sequence[Event]:
        """Return the events that are whole now, those before a failure included."""
        events: list[Event] = []
        try:
            data = self._splitter.feed(chunk)
            if data:
                for event in data[:-2].split(b"\n\n"):
                    payload = sse.payload(event)
                    if payload and not self._done:
                        self._read(payload, events)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return events

    def end(self) -> Sequence[Event]:
        """Take a finish reason for an end: some services leave out `[DONE]`."""
        if self._done:
            return ()
        if not self._stopped or self._splitter.rest.strip():
            raise StreamCut
        events: list[Event] = []
        self._finish(events)
        return events

    def _read(self, payload: bytes, events: list[Event]) -> None:
        if payload == b"[DONE]":
            if not self._calls:
                raise StreamCut
            self._finish(events)
            return
        try:
            chunk = _decode_chunk(payload)
        except UNREADABLE as error:
            raise WireError(f"a streamed event is not a chat completion chunk: {error}") from None
        if len(chunk.error) and bytes(chunk.error) != b"null":
            raise stream_failed(bytes(chunk.error))
        if chunk.usage is not None:
            self._usage, self._tier = chunk.usage, chunk.service_tier
        if not chunk.choices:
            return  # Azure's first chunk has neither choices nor a model
        if not self._started:
            self._started = True
            created = int(chunk.created or 0)
            events.append(Start(chunk.id or "", chunk.model or "", created, service_tier=chunk.service_tier))
        for choice in chunk.choices:
            self._choice(choice, events)

    def _choice(self, choice: _Choice, events: list[Event]) -> None:
        index = choice.index
        if index in self._stopped:
            return  # some services repeat the finish reason
        calls = self._calls.get(index)
        if calls is None:
            calls = self._calls[index] = Calls(index)
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if type(content) is str and content and not _more(delta):
                events.append(TextDelta(content, index))
            else:
                self._think(delta, index, events)
                _content(delta, index, events)
                _rest(delta, index, events)
            if delta.tool_calls:
                for call in delta.tool_calls:
                    calls.add(call, events)
            elif delta.function_call is not None:
                calls.add(CallDelta(index=0, function=delta.function_call), events)
        if choice.logprobs is not None and (tokens := read_logprobs(choice.logprobs)):
            events.append(LogprobsDelta(tokens, index))
        if choice.finish_reason is not None:
            stop = choice.stop_reason
            self._stopped.add(index)
            calls.end()
            events.append(
                Stop(
                    stop_reason(choice.finish_reason),
                    index,
                    stop if isinstance(stop, str) else None,
                    choice.content_filter_results or choice.safety_results or None,
                )
            )

    def _think(self, delta: _Delta, index: int, events: list[Event]) -> None:
        """Read thoughts. Some services tell a thought once more, whole, where they give its signature."""
        said = delta.reasoning_content or delta.reasoning
        told = self._thoughts.setdefault(index, [])
        if said and isinstance(said, str):
            told.append(said)
            events.append(ThinkingDelta(said, index))
        for detail in read_thinking(delta.reasoning_details, None):
            if not said and detail.text and not "".join(told).endswith(detail.text):
                events.append(ThinkingDelta(detail.text, index))
            if detail.signature or detail.encrypted:
                events.append(
                    ThinkingEnd(index, detail.signature, detail.encrypted, detail.id, detail.origin)
                )

    def _finish(self, events: list[Event]) -> None:
        self._done = True
        for index, calls in self._calls.items():
            if index not in self._stopped:  # some services leave out the finish reason
                calls.end()
                events.append(Stop("tool_calls" if calls.any else "stop", index))
        usage = read_usage(self._usage)
        if usage is not None:
            events.append(UsageReport(usage, self._tier))
        events.append(End())


def _more(delta: _Delta) -> bool:
    """Whether there is something besides plain text, which is all that most chunks hold."""
    return bool(
        delta.reasoning_content
        or delta.reasoning
        or delta.reasoning_details
        or delta.extra_content
        or delta.refusal
        or delta.annotations
        or delta.audio
        or delta.images
    )


def _content(delta: _Delta, index: int, events: list[Event]) -> None:
    content = delta.content
    if isinstance(content, list):
        for part in content:
            thought = thinking_text(part.thinking)
            if thought:
                events.append(ThinkingDelta(thought, index))
            elif part.text:
                events.append(TextDelta(part.text, index))
        return
    signature = read_signature(delta.extra_content)
    if content or signature:
        events.append(TextDelta(content or "", index, signature))


def _rest(delta: _Delta, index: int, events: list[Event]) -> None:
    if delta.refusal:
        events.append(RefusalDelta(delta.refusal, index))
    events += [CitationDelta(citation, index) for citation in read_citations(delta.annotations)]
    sound = delta.audio
    if sound is not None:
        events.append(AudioDelta(sound.id, sound.data, sound.transcript, sound.expires_at, index))
    for image in delta.images or ():
        found = picture(image.image_url.url) if image.image_url else None
        if found:
            events.append(MediaDelta(*found, index))
