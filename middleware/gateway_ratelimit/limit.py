"""One limit per minute, its headers and its refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RateLimited
from gateway_ratelimit.windows import Window

if TYPE_CHECKING:
    from gateway.types import RawHeaders
    from gateway_ratelimit.counters import Counters
    from gateway_ratelimit.windows import Reading, Strategy


class Limit:
    """One limit: its window, its counters, its headers."""

    def __init__(self, what: str, amount: int, strategy: Strategy, counters: Counters) -> None:
        self.what = what
        self.window = Window(amount, strategy)
        self.counters = counters
        self._limit = (f"x-ratelimit-limit-{what}".encode(), b"%d" % amount)
        self._remaining = f"x-ratelimit-remaining-{what}".encode()
        self._name_of_reset = f"x-ratelimit-reset-{what}".encode()
        self._reset = (self._name_of_reset, b"0s")
        self._reset_seconds = 0

    def headers(self, reading: Reading, used: int) -> RawHeaders:
        """The headers by which OpenAI tells its limits."""
        seconds = self.window.reset_after(reading)
        if seconds != self._reset_seconds:  # it is the same for most calls of a second
            self._reset_seconds = seconds
            self._reset = (self._name_of_reset, b"%ds" % seconds)
        left = self.window.limit - used
        return [self._limit, (self._remaining, b"%d" % left if left > 0 else b"0"), self._reset]

    def refusal(self, reading: Reading) -> RateLimited:
        """The error for a call that does not fit in."""
        seconds = self.window.retry_after(reading)
        return RateLimited(
            f"Rate limit reached: {self.window.limit} {self.what} per minute. Try again in {seconds} s.",
            headers=[(b"retry-after", b"%d" % seconds), *self.headers(reading, self.window.used(reading))],
        )
