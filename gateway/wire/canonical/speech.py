"""A text to be read aloud; the sound that answers it is streamed, in `MediaDelta`s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.types import Dialect


class SpeechRequest(Struct, frozen=True, kw_only=True):
    """What a client wants read aloud. None always means that the client did not say."""

    dialect: Dialect
    """In which the client asked."""
    model: str
    text: str
    voice: str | None = None
    """A name, which means something to its provider only."""
    instructions: str | None = None
    """How to read it."""
    format: str | None = None
    """`wav`, `pcm` (bare samples: 24 kHz, 16 bits, little-endian, one channel), `mp3` …"""
    speed: float | None = None
    """1 is the usual."""
    events: bool = False
    """The client wants the sound in server-sent events."""
    extra: Mapping[str, Any] = {}
    """What only the client's dialect knows."""
