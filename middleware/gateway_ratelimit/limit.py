"""One limit per minute, its headers and its refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RateLimited
from gateway_ratelimit.windows import LONGEST, Window

if TYPE_CHECKING:
    from gateway.types import RawHeaders
    from gateway_ratelimit.counters import Counters
    from gateway_ratelimit.windows import Reading, Strategy, What


class Limit:
    """One limit: its window, its counters, its headers."""

    def __init__(self, what: What, amount: int, strategy: Strategy, counters: Counters) -> None:
        self.what: What = what
        self.amount = amount
        self.window = Window(amount, strategy)
        self.counters = counters
        self.told = (f"x-ratelimit-limit-{what}".encode(), b"%d" % amount)
        """The header that tells the limit."""
        self.remaining = f"x-ratelimit-remaining-{what}".encode()
        """The name of the header that tells what is left of it."""
        reset = f"x-ratelimit-reset-{what}".encode()
        self.resets = [(reset, b"%ds" % seconds) for seconds in range(LONGEST + 1)]
        """The header that tells when it is whole again, by seconds."""

    def headers(self, reading: Reading, used: int) -> RawHeaders:
        """The headers by which OpenAI tells its limits."""
        left = max(0, self.amount - used)
        return [self.told, (self.remaining, b"%d" % left), self.resets[self.window.reset_after(reading)]]

    def refusal(self, reading: Reading) -> RateLimited:
        """The error for a call that does not fit in."""
        seconds = self.window.retry_after(reading)
        return RateLimited(
            f"Rate limit reached: {self.amount} {self.what} per minute. Try again in {seconds} s.",
            headers=[(b"retry-after", b"%d" % seconds), *self.headers(reading, self.window.used(reading))],
        )
