"""Several answers to one chat, each asked for by a request of its own, where a provider gives only one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from gateway.types import Call, Usage
from gateway.wire.canonical import ChatAnswer, Choice, End, Event, Start, UsageReport
from gateway.wire.codec import EventDecoder, EventEncoder
from gateway.wire.dialect import StreamFailed, WireError
from gateway.wire.estimate import estimated_tokens

MOST = 16
"""How many answers a client may ask for where each is a request of its own."""


def merged(answers: Sequence[ChatAnswer]) -> ChatAnswer:
    """Put the choices of several answers into one, numbered anew, with the usage of all."""
    choices: list[Choice] = []
    for answer in answers:
        choices += [replace(choice, index=len(choices) + k) for k, choice in enumerate(answer.choices)]
    used = [answer.usage for answer in answers]
    known = [usage for usage in used if usage is not None]
    usage = added(known) if len(known) == len(used) else None
    return replace(answers[0], choices=tuple(choices), usage=usage)


def added(usages: Sequence[Usage]) -> Usage:
    """Add usages up; estimated if one of them is."""
    total = {field: sum(getattr(usage, field) for usage in usages) for field in _COUNTED}
    return replace(usages[0], **total, estimated=any(usage.estimated for usage in usages))


_COUNTED = tuple(field for field in Usage.__struct_fields__ if field not in {"estimated", "size", "quality"})


class FannedReader:
    """Reads several streams of one provider, and writes the client's."""

    def __init__(
        self,
        decoders: Sequence[EventDecoder],
        encoder: EventEncoder,
        *,
        prompt: int,
        speaking: Callable[[], int],
    ) -> None:
        self._decoders = decoders
        self._encoder = encoder
        self._prompt = prompt
        self._speaking = speaking
        self._characters = 0
        self._usages: dict[int, Usage] = {}
        self._open = set(range(len(decoders)))
        self._started = False
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Decode what one of the streams said."""
        number = self._speaking()
        decoder = self._decoders[number]
        events = decoder.feed(chunk)
        if decoder.failure is not None:
            self.failure = cast("WireError | StreamFailed", decoder.failure)
        return self._write(number, events)

    def end(self) -> bytes:
        """Write what is still owed to the client. Raises `StreamCut` when one of the answers is not whole."""
        return b"".join(self._write(number, self._decoders[number].end()) for number in sorted(self._open))

    def estimate(self, _call: Call, /) -> Usage:
        """Estimate from the text of the request, sent once for each answer, and the characters that passed."""
        return Usage(
            prompt_tokens=self._prompt * len(self._decoders),
            completion_tokens=estimated_tokens(self._characters),
            estimated=True,
        )

    def _write(self, number: int, events: Sequence[Event]) -> bytes:
        self.began = self.began or bool(events)
        shown: list[Event] = []
        for event in events:
            if isinstance(event, UsageReport):
                self._usages[number] = event.usage
            elif isinstance(event, End):
                self._open.discard(number)
            elif not isinstance(event, Start):
                self._characters += len(getattr(event, "text", "") or getattr(event, "arguments", ""))
                shown.append(_renumbered(event, number))
            elif not self._started:
                self._started = True
                shown.append(event)
        if events and not self._open:
            self.finished = True
            if len(self._usages) == len(self._decoders):
                self.usage = added([*self._usages.values()])
                shown.append(UsageReport(self.usage))
            shown.append(End())
        return self._encoder.encode(shown) if shown else b""


def _renumbered(event: Event, number: int) -> Event:
    return msgspec.structs.replace(event, choice=number) if "choice" in event.__struct_fields__ else event
