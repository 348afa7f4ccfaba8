"""Following a stream that passes as it is: what its dialects' readers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.types import Call, Usage
from gateway.wire import sse
from gateway.wire.dialect import StreamCut, StreamFailed, WireError


class UntouchedReader(ABC):
    """Base class of the readers; `end` is for streams that say in an event of their own when they are complete.

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
        """Check every event, and return those that the client may see: all before a failure but the hidden ones."""
        shown: list[bytes] = []
        try:
            line, _, rest = chunk.partition(b"\n")
            if rest != b"\n" and line[:6] == b"event:":
                line, _, rest = rest.partition(b"\n")
            if rest == b"\n" and line[:6] == b"data: " and self._events.between and sse.CR not in chunk:
                return chunk if self._note(line[6:]) else b""  # one event of one line, as usual
            data = self._events.feed(chunk)
            events = data[:-2].split(b"\n\n") if data else []
            for event in events:
                payload = sse.payload(event)
                if self._note(payload) if payload else self._note_other(event):
                    shown.append(event)
            if len(shown) == len(events):
                return data
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return b"".join(event + b"\n\n" for event in shown)

    def end(self) -> bytes:
        """Raise `StreamCut` unless the stream said that it is complete."""
        if not self.finished:
            raise StreamCut
        return b""

    @abstractmethod
    def estimate(self, call: Call, /) -> Usage:
        """Estimate usage from what has passed so far."""

    @abstractmethod
    def _note(self, payload: bytes) -> bool:
        """Take note of one event, and return whether the client may see it.

        Raises `WireError` and `StreamFailed`, which end the stream for the client.
        """

    def _note_other(self, event: bytes) -> bool:
        """Do the same with an event without data, as comments are."""
        del event
        return True
