"""Following a session whose messages pass untouched: what the readers of its dialects have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from gateway.types import Call, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import StreamFailed, WireError
from gateway.wire.estimate import estimated_tokens

_BYTES_PER_SECOND = 48_000
"""Of sound in 16 bit at 24 kHz, the usual format."""


class SessionReader(ABC):
    """Sums up the usage of everything that was made. Takes whole messages, one at a time.

    A dialect's reader says in `_note` what a message means, and counts what no usage was told of yet.
    """

    __slots__ = ("_characters", "_sound", "_told", "began", "failure", "finished", "usage")

    tokens_per_second: int
    """Of speech that a model makes."""

    def __init__(self) -> None:
        self._told = Usage()
        self._characters = 0
        """Of text that no usage was told of yet."""
        self._sound = 0
        """Base64 of such sound."""
        self.usage: Usage | None = None
        """Not told before the end, for a session has many responses: see `estimate`."""
        self.began = False
        self.finished = False
        self.failure: WireError | StreamFailed | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take a message."""
        self.began = True
        try:
            self._note(chunk)
        except msgspec.ValidationError:
            if not chunk.lstrip().startswith(b"{"):
                self.failure = WireError("a message is not a JSON object")
                return b""
        except UNREADABLE as error:
            self.failure = WireError(f"a message is not valid JSON: {error}")
            return b""
        return chunk  # also an object of a shape we do not know: the client may

    def end(self) -> bytes:
        """Take the end of the session as it comes: either side may close it at any time."""
        self.finished = True
        return b""

    def estimate(self, _call: Call, /) -> Usage:
        """Sum up what was told, and estimate what no usage was told of."""
        return added(self._told, self._untold()) if self._characters or self._sound else self._told

    @abstractmethod
    def _note(self, message: bytes) -> None:
        """Read a message. Raises what msgspec does for one that is no JSON, or of another shape."""

    def _add(self, usage: Usage | None) -> None:
        """Take usage for what was made so far; None where the provider did not say."""
        self._told = added(self._told, self._untold() if usage is None else usage)
        self._characters = self._sound = 0

    def _untold(self) -> Usage:
        seconds = self._sound * 3 / 4 / _BYTES_PER_SECOND
        sound = round(seconds * self.tokens_per_second)
        return Usage(
            completion_tokens=estimated_tokens(self._characters) + sound,
            audio_completion_tokens=sound,
            estimated=True,
        )


def added(one: Usage, other: Usage) -> Usage:
    """Add up the tokens and searches of two usages."""
    return Usage(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        completion_tokens=one.completion_tokens + other.completion_tokens,
        cached_read_tokens=one.cached_read_tokens + other.cached_read_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        audio_prompt_tokens=one.audio_prompt_tokens + other.audio_prompt_tokens,
        audio_completion_tokens=one.audio_completion_tokens + other.audio_completion_tokens,
        searches=one.searches + other.searches,
        estimated=one.estimated or other.estimated,
    )
