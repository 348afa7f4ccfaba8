"""Amazon's event stream: binary frames with headers, a payload and two checksums, as Bedrock streams its answers.

A frame is its length and the length of its headers (32 bits each, big endian), the CRC-32 of these eight bytes, the
headers, the payload, and the CRC-32 of everything before. https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.wire.dialect import WireError

MAX_FRAME_BYTES: Final = 24 * 1024 * 1024
CONTENT_TYPE: Final = b"application/vnd.amazon.eventstream"

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_SHORT: Final = struct.Struct(">H")
_LEAST: Final = _PRELUDE.size + _CRC.size
_FIXED: Final[Mapping[int, int]] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Lengths of the header values whose type says it: booleans, numbers, timestamps, UUIDs."""
_BYTES, _STRING = 6, 7
_KEPT_HEADERS: Final = 64


class Frame(Struct, frozen=True, gc=False):
    """One message of the stream."""

    headers: Mapping[str, str]
    """Those that are strings: `:message-type`, `:event-type`, `:exception-type` and the like."""
    payload: bytes


class FrameReader:
    """Cuts a byte stream, which may come in any pieces, into whole frames."""

    __slots__ = ("_known", "_rest", "failure")

    def __init__(self) -> None:
        self._rest = b""
        self._known: dict[
            bytes, Mapping[str, str]
        ] = {}  # the headers of one kind of event are always the same
        self.failure: WireError | None = None
        """What was wrong with the last bytes fed; nothing more is to be fed after it."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that are whole now, also those before a `failure`."""
        data = self._rest + chunk if self._rest else chunk
        frames: list[Frame] = []
        start = 0
        try:
            while (end := self._end(data, start)) is not None:
                frames.append(self._frame(data, start, end))
                start = end
        except WireError as failure:
            self.failure = failure
        self._rest = data[start:]
        return frames

    @property
    def rest(self) -> bytes:
        """The beginning of a frame that is not whole yet."""
        return self._rest

    def _end(self, data: bytes, start: int) -> int | None:
        """Return where the frame ends; None while that cannot be told, or has not come yet."""
        if len(data) - start < _PRELUDE.size:
            return None
        length, headers, crc = _PRELUDE.unpack_from(data, start)
        if zlib.crc32(data[start : start + 8]) != crc:
            raise WireError("the checksum of an event's length is wrong")
        if not _LEAST + headers <= length <= MAX_FRAME_BYTES:
            raise WireError(f"an event claims a length of {length} bytes, its headers {headers}")
        return start + length if len(data) - start >= length else None

    def _frame(self, data: bytes, start: int, end: int) -> Frame:
        _, size, _ = _PRELUDE.unpack_from(data, start)
        if zlib.crc32(data[start : end - 4]) != _CRC.unpack_from(data, end - 4)[0]:
            raise WireError("the checksum of an event is wrong")
        body = start + _PRELUDE.size + size
        raw = data[start + _PRELUDE.size : body]
        headers = self._known.get(raw)
        if headers is None:
            headers = _headers(raw)
            if len(self._known) < _KEPT_HEADERS:
                self._known[raw] = headers
        return Frame(headers, data[body : end - 4])


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write one frame; all headers are strings."""
    parts: list[bytes] = []
    for name, value in headers.items():
        key, text = name.encode(), value.encode()
        parts.append(b"%c%b%c%b%b" % (len(key), key, _STRING, _SHORT.pack(len(text)), text))
    head = b"".join(parts)
    prelude = struct.pack(">II", _LEAST + len(head) + len(payload), len(head))
    body = prelude + _CRC.pack(zlib.crc32(prelude)) + head + payload
    return body + _CRC.pack(zlib.crc32(body))


def _headers(raw: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(raw):
            name = raw[at + 1 : at + 1 + raw[at]].decode()
            at += 1 + raw[at]
            kind = raw[at]
            at += 1
            if kind in (_BYTES, _STRING):
                size = _SHORT.unpack_from(raw, at)[0]
                at += 2
            else:
                size = _FIXED[kind]
            value = raw[at : at + size]
            at += size
            if kind == _STRING:
                headers[name] = value.decode()
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise WireError("the headers of an event cannot be read") from None
    if at != len(raw):
        raise WireError("the headers of an event cannot be read")
    return headers
