"""Following a stream that passes as it is: what its dialects' readers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.types import Call, Usage
from gateway.wire import sse
from gateway.wire.dialect import StreamCut, StreamFailed, WireError


class UntouchedReader(ABC):
    """Base class of readers of streams that say in an event of their own when they are complete.

    A dialect's reader has `estimate`, and says in `_note` what an event means.
    """

    __slots__ = ("_characters", "_events", "began", "failure", "finished", "usage")

    usage: Usage | None
    began: bool
    finished: bool
    failure: WireError | StreamFailed | None

    def __init__(self) -> None:
        self._events = sse.EventSplitter()
        self._characters: int = 0
        """Of what was made, as far as it has passed."""
        self.usage = None
        self.began = False
        self.finished = False
        self.failure = None

    def feed(self, chunk: bytes) -> bytes:
        """Check every event, and return those that the client may see: all before a failure."""
        data = b""
        passed = 0
        try:
            data = self._events.feed(chunk)
            for event in data[:-2].split(b"\n\n") if data else ():
                payload = sse.payload(event)
                if payload:
                    self._note(payload)
                passed += len(event) + 2
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return data[:passed]

    def end(self) -> bytes:
        """Raise `StreamCut` unless the stream said that it is complete."""
        if not self.finished:
            raise StreamCut
        return b""

    @abstractmethod
    def estimate(self, call: Call, /) -> Usage:
        """Estimate usage from what has passed so far."""

    @abstractmethod
    def _note(self, payload: bytes) -> None:
        """Take note of one event. Raises `WireError` and `StreamFailed`, which end the stream for the client."""
