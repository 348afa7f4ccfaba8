"""Sound in WAV files (RIFF), as far as a gateway needs them: how long they last, and a head for bare samples."""

from __future__ import annotations

import struct
from typing import Final

RATE: Final = 24_000
"""Samples per second of the bare PCM that AI services send: 16 bits, little-endian, one channel."""
BYTES_PER_SECOND: Final = RATE * 2
UNKNOWN: Final = 0xFFFF_FFFF - 36
"""The size of samples that are still to come: the largest that a head can say."""
_HEAD: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_CHUNK: Final = struct.Struct("<4sI")


def seconds(data: bytes) -> float | None:
    """Return how long a WAV file lasts; None for what is none.

    A streamed file may not know its own length: then what is there counts.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    position, rate = 12, 0
    while position + _CHUNK.size <= len(data):
        kind, size = _CHUNK.unpack_from(data, position)
        position += _CHUNK.size
        if kind == b"fmt " and position + 12 <= len(data):
            (rate,) = struct.unpack_from("<I", data, position + 8)
        elif kind == b"data":
            return min(size, len(data) - position) / rate if rate else None
        position += size + size % 2
    return None


def head(size: int, rate: int = RATE) -> bytes:
    """Return the head of a file with so many bytes of samples: 16 bits, one channel."""
    return _HEAD.pack(
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        rate,
        rate * 2,
        2,
        16,
        b"data",
        size,
    )
