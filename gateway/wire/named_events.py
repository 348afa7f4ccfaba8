"""Streams of OpenAI's events that name themselves in `type`, for pictures and sound."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.wire.body import UNREADABLE, refuse_unless_unusual
from gateway.wire.openai_errors import stream_failed
from gateway.wire.untouched import UntouchedReader

_NOTHING: Final = Raw(b"")


class NamedEvent(Struct):
    """What the gateway reads of an event."""

    type: str = ""
    usage: Any = None
    delta: Any = None
    error: Raw = _NOTHING


_decode = msgspec.json.Decoder(NamedEvent).decode


class NamedEventsReader(UntouchedReader):
    """Follows one such stream; every event passes as it is."""

    @abstractmethod
    def note(self, event: NamedEvent) -> None:
        """Take note of an event: set `usage` and, with the last one, `finished`."""

    def _note(self, payload: bytes) -> bool:
        self.began = True
        if payload == b"[DONE]":
            return True
        try:
            event = _decode(payload)
        except UNREADABLE as error:
            refuse_unless_unusual(payload, error)
            return True
        if len(event.error) and bytes(event.error) != b"null":
            raise stream_failed(bytes(event.error))
        self.note(event)
        return True
