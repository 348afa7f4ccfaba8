"""Streams of OpenAI's events that name themselves in `type`, for pictures and sound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.types import Call, Usage
from gateway.wire import sse
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import StreamCut, StreamFailed, WireError
from gateway.wire.openai_errors import stream_failed

_NOTHING: Final = Raw(b"")


class NamedEvent(Struct):
    """What the gateway reads of an event."""

    type: str = ""
    usage: Any = None
    delta: Any = None
    error: Raw = _NOTHING


_decode = msgspec.json.Decoder(NamedEvent).decode


class NamedEventsReader(ABC):
    """Follows one such stream; every event passes as it is."""

    usage: Usage | None

    def __init__(self) -> None:
        self._events = sse.EventSplitter()
        self.usage = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    @abstractmethod
    def note(self, event: NamedEvent) -> None:
        """Take note of an event: set `usage` and, with the last one, `finished`."""

    @abstractmethod
    def estimate(self, call: Call, /) -> Usage:
        """Estimate usage from what has passed so far."""

    def feed(self, chunk: bytes) -> bytes:
        """Check every event and return those that came before a failure."""
        passed: list[bytes] = []
        try:
            data = self._events.feed(chunk)
            for event in data[:-2].split(b"\n\n") if data else ():
                self._check(sse.payload(event))
                passed.append(event)
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return b"".join(event + b"\n\n" for event in passed)

    def end(self) -> bytes:
        """Check that the last event has come."""
        if not self.finished or self._events.rest.strip():
            raise StreamCut
        return b""

    def _check(self, payload: bytes) -> None:
        if not payload:
            return
        self.began = True
        if payload == b"[DONE]":
            return
        try:
            event = _decode(payload)
        except msgspec.ValidationError as error:
            if not payload.startswith(b"{"):
                raise WireError(f"a streamed event is not a JSON object: {error}") from None
            return  # valid JSON of a shape we do not know: the client may
        except UNREADABLE as error:
            raise WireError(f"a streamed event is not valid JSON: {error}") from None
        if len(event.error) and bytes(event.error) != b"null":
            raise stream_failed(bytes(event.error))
        self.note(event)
