"""Server-sent events (WHATWG HTML, section 9.2), as far as a gateway needs them: cut a byte stream into whole events."""

from __future__ import annotations

from gateway.wire.dialect import WireError

MAX_EVENT_BYTES = 8 * 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

CR = 13  # as a number: Python finds that in bytes several times as fast


class EventSplitter:
    """Holds back the unfinished end of a stream, so that what it returns always consists of whole events.

    Line ends become LF: the standard allows CR and CRLF, but then the end of an event depends on the next packet.
    A byte order mark at the beginning goes, as the standard has it: with it, clients would lose the first event.
    """

    __slots__ = ("_at_start", "_carriage_return", "_rest", "between")

    def __init__(self) -> None:
        self._rest = b""
        self._carriage_return = False
        self._at_start = True
        self.between = True
        """Nothing is held back, so that whole events without CR need not go through here."""

    def feed(self, chunk: bytes) -> bytes:
        """Return all whole events so far, each ending in an empty line; b"" when none is whole yet."""
        if self._carriage_return or CR in chunk:
            chunk = self._line_feeds(chunk)
        if self._at_start:
            chunk = self._unmarked(chunk)
        if not self._rest and chunk.endswith(b"\n\n"):
            self.between = not self._carriage_return
            return chunk
        whole, gap, rest = (self._rest + chunk).rpartition(b"\n\n")
        if not gap and len(rest) > MAX_EVENT_BYTES:
            msg = f"a streamed event is longer than {MAX_EVENT_BYTES} bytes"
            raise WireError(msg)
        self._rest = rest
        self.between = not (rest or self._carriage_return)
        return whole + gap

    @property
    def rest(self) -> bytes:
        """The unfinished event at the end; the standard says to discard it when the stream ends."""
        return self._rest

    def _unmarked(self, chunk: bytes) -> bytes:
        """Take the mark off, once enough of the stream is there to tell."""
        chunk, self._rest = self._rest + chunk, b""
        if len(chunk) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(chunk):
            return chunk
        self._at_start = False
        return chunk.removeprefix(_BYTE_ORDER_MARK)

    def _line_feeds(self, chunk: bytes) -> bytes:
        if self._carriage_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        # A final CR has already ended its line; if the next packet starts with LF, that LF belongs to it.
        self._carriage_return = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def payload(event: bytes) -> bytes:
    """Return the data of one event: its `data` lines joined by LF; b"" when it has none, as a comment."""
    start = event.find(b"\n") + 1 if event[:6] == b"event:" else 0
    if event[start : start + 6] == b"data: " and event.find(b"\n", start) < 0:  # as usual
        return event[start + 6 :]
    lines: list[bytes] = []
    for line in event.split(b"\n"):
        name, colon, value = line.partition(b":")
        if name == b"data":
            lines.append(value[1:] if colon and value.startswith(b" ") else value)
    return b"\n".join(lines)


def event(data: bytes, name: str | None = None) -> bytes:
    """Format one event; `data` holds no line ends."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + data + b"\n\n"
