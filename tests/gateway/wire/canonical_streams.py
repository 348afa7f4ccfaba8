"""Hypothesis strategies for the canonical form of answers and streams, and the answer that a stream amounts to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.canonical import (
    Audio,
    AudioDelta,
    ChatAnswer,
    Choice,
    CitationDelta,
    End,
    Event,
    Image,
    LogprobsDelta,
    MediaDelta,
    Part,
    Refusal,
    RefusalDelta,
    Source,
    Start,
    Stop,
    StopReason,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnd,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)

from .canonical_strategies import Features, base64_data, calls, cited, identifiers, thoughts, words

NAMES = ("get_weather", "search")
TextOrBytes = TypeVar("TextOrBytes", str, bytes)


@st.composite
def usages(draw: st.DrawFn, features: Features) -> Usage:
    """Counts that can be: no part is larger than its whole."""
    prompt, completion = draw(st.integers(0, 10_000)), draw(st.integers(0, 10_000))
    wholes = {
        "cached_read_tokens": prompt // 2,
        "cached_write_tokens": prompt // 2,
        "reasoning_tokens": completion // 2,
        "audio_prompt_tokens": prompt // 4,
        "audio_completion_tokens": completion // 4,
    }
    details = {name: draw(st.integers(0, wholes[name])) for name in sorted(features.usage)}
    return Usage(prompt_tokens=prompt, completion_tokens=completion, **cast("dict[str, Any]", details))


@st.composite
def _choices(draw: st.DrawFn, features: Features, index: int) -> Choice:
    parts: list[Part] = []
    if features.thinking:
        parts += draw(st.lists(thoughts(features), max_size=1))
    kind = draw(st.sampled_from(["text", "calls", "both", *(["refusal"] if features.refusals else [])]))
    if kind in {"text", "both"}:
        parts.append(draw(cited(features.citations)))
    if kind == "refusal":
        parts.append(Refusal(text=draw(words())))
    made: list[ToolCall] = []
    if features.tools and kind in {"calls", "both"}:
        made = draw(calls(features, NAMES, 10 * index))
    if not made and kind == "calls":
        parts.append(Text(text=draw(words())))
    logprobs = None
    weighed = {"text"} | ({"refusal"} if features.refusal_logprobs else set[str]())
    if features.logprobs and kind in weighed and draw(st.booleans()):
        logprobs = tuple(draw(st.lists(_tokens(features, top=features.top_logprobs), min_size=1, max_size=3)))
    stop = "tool_calls" if made else draw(st.sampled_from(features.stops))
    return Choice(
        index=index,
        parts=(*parts, *draw(_media(features)), *made),
        stop=cast("StopReason", stop),
        stop_sequence=draw(words(8)) if stop == "stop_sequence" and features.sequences else None,
        logprobs=logprobs,
        safety=draw(st.sampled_from([None, *features.safety])),
    )


def _tokens(features: Features, *, top: bool) -> st.SearchStrategy[TokenLogprob]:
    alone: dict[str, st.SearchStrategy[Any]] = {
        "token": words(5),
        "logprob": st.integers(-80, 0).map(lambda n: n / 8),
    }
    if features.token_bytes:
        alone["bytes"] = st.lists(st.integers(0, 255), min_size=1, max_size=4).map(tuple)
    others = st.lists(_tokens(features, top=False), max_size=2).map(tuple) if top else st.just(())
    return st.builds(TokenLogprob, **alone, top=others)


def _media(features: Features) -> st.SearchStrategy[list[Part]]:
    kinds: list[st.SearchStrategy[Part]] = []
    if features.pictures:
        source = st.builds(Source, media_type=st.just("image/png"), data=base64_data)
        kinds.append(st.builds(Image, source=source))
    if features.sound:
        source = st.builds(Source, data=base64_data)
        kinds.append(st.builds(Audio, source=source, id=identifiers, transcript=words()))
    return st.lists(st.one_of(kinds), max_size=1) if kinds else st.just([])


@st.composite
def answers(draw: st.DrawFn, features: Features) -> ChatAnswer:
    """Whole answers, with usage."""
    return ChatAnswer(
        id=draw(st.integers(0, 10**9).map("chatcmpl-{}".format)),
        model="a-model",
        created=draw(st.integers(1, 2**31)),
        choices=tuple(
            draw(_choices(features, index)) for index in range(draw(st.integers(1, features.choices)))
        ),
        usage=draw(usages(features)),
        service_tier=draw(st.sampled_from([None, *features.served])),
    )


@st.composite
def streams(draw: st.DrawFn, features: Features) -> list[Event]:
    """Whole streams: an answer in deltas, its choices by turns."""
    answer = draw(answers(features))
    queues = [draw(_deltas(choice)) for choice in answer.choices]
    at_once = draw(st.booleans())
    tier = answer.service_tier
    begun = Start(answer.id, answer.model, answer.created, service_tier=tier if at_once else None)
    events: list[Event] = [begun]
    while queues:
        queue = draw(st.sampled_from(queues)) if len(queues) > 1 else queues[0]
        events.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    assert answer.usage is not None
    return [*events, UsageReport(answer.usage, None if at_once else tier), End()]


@st.composite
def _deltas(draw: st.DrawFn, choice: Choice) -> list[Event]:
    events: list[Event] = []
    index = choice.index
    if choice.logprobs:
        events.append(LogprobsDelta(choice.logprobs, index))
    number = 0
    for part in choice.parts:
        match part:
            case Thinking():
                events += [ThinkingDelta(text, index) for text in draw(pieces(part.text))]
                events.append(ThinkingEnd(index, part.signature, part.encrypted, part.id, part.origin))
            case Text():
                events += [TextDelta(text, index) for text in draw(pieces(part.text))]
                events += [CitationDelta(citation, index) for citation in part.citations]
            case Refusal():
                events += [RefusalDelta(text, index) for text in draw(pieces(part.text))]
            case ToolCall():
                events.append(ToolCallStart(number, part.id, part.name, index))
                events += [ToolCallDelta(number, text, index) for text in draw(pieces(part.arguments))]
                number += 1
            case Image(source=Source(media_type=str(kind), data=str(data))):
                events.append(MediaDelta(kind, data, index))
            case Audio():
                events.append(AudioDelta(part.id, part.source.data, part.transcript, choice=index))
            case _:
                raise AssertionError(part)
    assert choice.stop is not None
    return [*events, Stop(choice.stop, index, choice.stop_sequence, choice.safety)]


@st.composite
def pieces(draw: st.DrawFn, text: str) -> list[str]:
    """The text in one to four pieces, none of them empty."""
    return cut(text, draw(st.lists(st.integers(0, len(text)), max_size=3)))


@st.composite
def packets(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The bytes of a stream as they may arrive: cut anywhere, up to twelve times."""
    return cut(stream, draw(st.lists(st.integers(0, len(stream)), max_size=12)))


def cut(whole: TextOrBytes, places: Sequence[int]) -> list[TextOrBytes]:
    """Cut at these places; nothing that comes out is empty."""
    edges = [0, *sorted(places), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(edges) if end > start]


def gathered(events: Sequence[Event]) -> ChatAnswer:
    """The answer that a stream amounts to, however it was cut into deltas."""
    first = events[0]
    assert isinstance(first, Start), first
    assert isinstance(events[-1], End), events[-1]
    choices: dict[int, _Gathering] = {}
    usage, tier = first.usage, first.service_tier
    for event in events[1:-1]:
        if isinstance(event, UsageReport):
            usage, tier = event.usage, event.service_tier or tier
        else:
            assert not isinstance(event, Start | End), f"{event} in the middle"
            choices.setdefault(getattr(event, "choice", 0), _Gathering()).add(event)
    return ChatAnswer(
        id=first.id,
        model=first.model,
        created=first.created,
        usage=usage,
        service_tier=tier,
        choices=tuple(choices[index].choice(index) for index in sorted(choices)),
    )


class _Gathering:
    """One choice on its way."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.calls: dict[int, int] = {}
        self.thinks = False
        self.stop: Stop | None = None
        self.logprobs: tuple[TokenLogprob, ...] = ()

    def add(self, event: Event) -> None:  # noqa: PLR0912 - one case an event
        assert self.stop is None, f"{event} after the choice has stopped"
        last = self.parts[-1] if self.parts else None
        match event:
            case TextDelta():
                self._more(Text(text=event.text, signature=event.signature))
            case RefusalDelta():
                self._more(Refusal(text=event.text))
            case ThinkingDelta():
                self._more(Thinking(text=event.text), joins=self.thinks)
            case ThinkingEnd():
                text = ""
                if isinstance(last, Thinking) and self.thinks:
                    text = last.text
                    self.parts.pop()
                self.parts.append(
                    Thinking(
                        text=text,
                        signature=event.signature,
                        encrypted=event.encrypted,
                        id=event.id,
                        origin=event.origin,
                    )
                )
            case ToolCallStart():
                assert event.index == len(self.calls), "tool calls are counted from 0"
                self.calls[event.index] = len(self.parts)
                self.parts.append(
                    ToolCall(
                        id=event.id,
                        name=event.name,
                        arguments="",
                        custom=event.custom,
                        signature=event.signature,
                    )
                )
            case ToolCallDelta():
                place = self.calls[event.index]
                call = cast("ToolCall", self.parts[place])
                self.parts[place] = msgspec.structs.replace(call, arguments=call.arguments + event.arguments)
            case CitationDelta():
                places = [place for place, part in enumerate(self.parts) if isinstance(part, Text)]
                assert places, "a citation without a text"
                text = cast("Text", self.parts[places[-1]])
                citations = (*text.citations, event.citation)
                self.parts[places[-1]] = msgspec.structs.replace(text, citations=citations)
            case MediaDelta():
                source = Source(media_type=event.media_type, data=event.data)
                self.parts.append(Image(source=source, signature=event.signature))
            case AudioDelta():
                source = Source(data=event.data)
                self.parts.append(Audio(source=source, id=event.id, transcript=event.transcript))
            case LogprobsDelta():
                self.logprobs += event.tokens
            case Stop():
                self.stop = event
            case _:
                raise AssertionError(f"gathered() does not know {event}")
        self.thinks = isinstance(event, ThinkingDelta) or (self.thinks and isinstance(event, LogprobsDelta))

    def _more(self, part: Text | Refusal | Thinking, *, joins: bool = True) -> None:
        last = self.parts[-1] if self.parts else None
        if joins and isinstance(last, type(part)) and getattr(last, "signature", None) is None:
            self.parts[-1] = msgspec.structs.replace(part, text=last.text + part.text, **_kept(last))
        else:
            self.parts.append(part)

    def choice(self, index: int) -> Choice:
        assert self.stop is not None, f"choice {index} never stopped"
        return Choice(
            index=index,
            parts=tuple(self.parts),
            stop=self.stop.reason,
            stop_sequence=self.stop.sequence,
            safety=self.stop.safety,
            logprobs=self.logprobs or None,
        )


def _kept(part: Part) -> dict[str, Any]:
    return {"citations": part.citations} if isinstance(part, Text) else {}
