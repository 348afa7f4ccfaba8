"""Hypothesis strategies for the canonical form of answers and streams, and the answer that a stream amounts to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec
from hypothesis import strategies as st

from gateway.types import Usage
from gateway.wire.canonical import (
    ChatAnswer,
    Choice,
    Citation,
    CitationDelta,
    End,
    Event,
    LogprobsDelta,
    Part,
    Refusal,
    RefusalDelta,
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

from .canonical_strategies import Features, addresses, calls, thoughts, words

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
        cited = st.builds(
            Citation, url=addresses, title=words(10), start=st.integers(0, 5), end=st.integers(6, 9)
        )
        citations = draw(st.lists(cited, max_size=2)) if features.citations else []
        parts.append(Text(text=draw(words()), citations=tuple(citations)))
    if kind == "refusal":
        parts.append(Refusal(text=draw(words())))
    made: list[ToolCall] = []
    if features.tools and kind in {"calls", "both"}:
        made = draw(calls(features, NAMES, 10 * index))
    if not made and kind == "calls":
        parts.append(Text(text=draw(words())))
    logprobs = None
    if features.logprobs and kind == "text" and draw(st.booleans()):
        token = st.builds(TokenLogprob, token=words(5), logprob=st.integers(-80, 0).map(lambda n: n / 8))
        logprobs = tuple(draw(st.lists(token, min_size=1, max_size=3)))
    stop = "tool_calls" if made else draw(st.sampled_from(features.stops))
    return Choice(index=index, parts=(*parts, *made), stop=cast("StopReason", stop), logprobs=logprobs)


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
    )


@st.composite
def streams(draw: st.DrawFn, features: Features) -> list[Event]:
    """Whole streams: an answer in deltas, its choices by turns."""
    answer = draw(answers(features))
    queues = [draw(_deltas(choice)) for choice in answer.choices]
    events: list[Event] = [Start(answer.id, answer.model, answer.created)]
    while queues:
        queue = draw(st.sampled_from(queues)) if len(queues) > 1 else queues[0]
        events.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    assert answer.usage is not None
    return [*events, UsageReport(answer.usage), End()]


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
            case _:
                raise AssertionError(part)
    assert choice.stop is not None
    return [*events, Stop(choice.stop, index)]


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
    usage = first.usage
    for event in events[1:-1]:
        if isinstance(event, UsageReport):
            usage = event.usage
        else:
            assert not isinstance(event, Start | End), f"{event} in the middle"
            choices.setdefault(getattr(event, "choice", 0), _Gathering()).add(event)
    return ChatAnswer(
        id=first.id,
        model=first.model,
        created=first.created,
        usage=usage,
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

    def add(self, event: Event) -> None:
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
                assert isinstance(last, Text), "a citation without a text"
                self.parts[-1] = msgspec.structs.replace(last, citations=(*last.citations, event.citation))
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
