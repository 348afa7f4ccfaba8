"""The arithmetic of windows: how much is used, how much is left, how long to wait. No clock, no storage."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

WINDOW = 60.0
"""Seconds."""

LONGEST = int(2 * WINDOW)
"""Seconds, the most until nothing is used up."""

What: TypeAlias = Literal["requests", "tokens"]
"""What is limited."""

Strategy: TypeAlias = Literal["sliding-window-counter", "fixed-window"]


class Reading(NamedTuple):
    """What was counted in the present window and in the one before."""

    current: int
    previous: int
    elapsed: float
    """Seconds since the present window began."""


class Window:
    """A limit over one minute.

    `fixed-window` counts the present window alone, so that twice the limit may pass around its border.
    `sliding-window-counter` adds the share of the previous window that is not yet a minute ago, as if its calls had come
    evenly spread.
    """

    def __init__(self, limit: int, strategy: Strategy) -> None:
        self.limit = limit
        self._slides = strategy == "sliding-window-counter"

    def used(self, reading: Reading) -> int:
        """How much of the limit is used up at the moment of the reading."""
        current, previous, elapsed = reading
        if previous and self._slides:
            return current + int(previous * (1 - elapsed / WINDOW))
        return current

    def reset_after(self, reading: Reading) -> int:
        """Whole seconds until nothing is used up, when nothing more comes."""
        current, previous, elapsed = reading
        if self._slides and current:
            return math.ceil(2 * WINDOW - elapsed)
        if current or (self._slides and previous):
            return math.ceil(WINDOW - elapsed)
        return 0

    def retry_after(self, reading: Reading) -> int:
        """Whole seconds, at least 1, until one more fits in."""
        current, previous, elapsed = reading
        if not self._slides:
            wait = WINDOW - elapsed
        elif current < self.limit:
            wait = _decayed(previous, self.limit - current) - elapsed
        else:
            wait = WINDOW - elapsed + _decayed(current, self.limit)
        return math.floor(wait) + 1


def _decayed(previous: int, below: int) -> float:
    """Seconds into a window after which what the previous one still counts is less than `below`."""
    return max(0.0, WINDOW * (1 - below / previous)) if previous else 0.0
