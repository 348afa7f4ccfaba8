"""Several API keys of one account or many: used in turn, and left alone for a while after the service refused one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from gateway.upstream import Prepared

REST_SECONDS = 30.0
"""How long a refused credential rests when the service does not say."""
_LONGEST_REST = 3600.0


class Credential:
    """One API key (or none), with its requests ready to be sent."""

    __slots__ = ("chat", "embeddings", "models", "rests_until")

    def __init__(self, *, chat: Prepared, embeddings: Prepared, models: Prepared) -> None:
        self.chat = chat
        self.embeddings = embeddings
        self.models = models
        self.rests_until = 0.0
        """Time of `time.monotonic`."""

    def rest(self, seconds: float | None) -> None:
        """Leave it alone for so long, or for as long as is usual."""
        if seconds is None or not seconds >= 0:  # "nan" is a number, too
            seconds = REST_SECONDS
        seconds = min(seconds, _LONGEST_REST)
        self.rests_until = time.monotonic() + seconds


class Credentials:
    """Chooses whose turn it is.

    When all of them rest, the one that has rested enough soonest is used all the same: the service decides, and an
    operator with a single key would otherwise be locked out by one refusal.
    """

    __slots__ = ("_all", "_next")

    def __init__(self, credentials: Sequence[Credential]) -> None:
        self._all = tuple(credentials)
        self._next = 0

    def __iter__(self) -> Iterator[Credential]:
        return iter(self._all)

    def first(self) -> Credential:
        """Return the one to begin with."""
        if len(self._all) == 1:
            return self._all[0]
        self._next = (self._next + 1) % len(self._all)
        turn = self._all[self._next :] + self._all[: self._next]
        now = time.monotonic()
        return next((one for one in turn if one.rests_until <= now), None) or min(
            turn, key=lambda one: one.rests_until
        )

    def another(self, tried: Sequence[Credential]) -> Credential | None:
        """Return one that was not tried and does not rest, or None."""
        now = time.monotonic()
        return next((one for one in self._all if one not in tried and one.rests_until <= now), None)
