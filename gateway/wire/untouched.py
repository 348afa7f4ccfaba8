"""Following a stream that passes as it is: what its dialects' readers have in common."""

from __future__ import annotations

from gateway.types import Usage
from gateway.wire import sse
from gateway.wire.dialect import StreamCut, StreamFailed, WireError


class UntouchedReader:
    """Base class of readers of streams that say in an event of their own when they are complete.

    A dialect's reader has `estimate`, and says in `_note` what an event means.
    """

    __slots__ = ("_characters", "_events", "began", "failure", "finished", "usage")

    def __init__(self) -> None:
        self._events = sse.EventSplitter()
        self._characters: int = 0
        """Of what was made, as far as it has passed."""
        self.usage: Usage | None = None
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Check every event, and return those that the client may see: all before a failure."""
        data = b""
        position = 0
        try:
            data = self._events.feed(chunk)
            while position < len(data):
                end = data.index(b"\n\n", position)
                payload = sse.payload(data[position:end])
                if payload:
                    self._note(payload)
                position = end + 2
        except (WireError, StreamFailed) as failure:
            self.failure = failure
        return data[:position]

    def end(self) -> bytes:
        """Raise `StreamCut` unless the stream said that it is complete."""
        if not self.finished:
            raise StreamCut
        return b""

    def _note(self, payload: bytes) -> None:
        """Take note of one event. Raises `WireError` and `StreamFailed`, which end the stream for the client."""
        raise NotImplementedError
