"""The limits of the config where this process counts alone, as nearly always: one look for both, nothing to await."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_ratelimit.windows import LONGEST, WINDOW

if TYPE_CHECKING:
    from gateway.types import RawHeaders
    from gateway_ratelimit.counters import MemoryCounters
    from gateway_ratelimit.limit import Limit
    from gateway_ratelimit.windows import Strategy


class LocalLimits:
    """Holds each caller to both limits. What `Window` says of one reading is worked out here for both at a time."""

    def __init__(
        self, tokens: Limit | None, requests: Limit | None, counters: MemoryCounters, strategy: Strategy
    ) -> None:
        self._tokens = tokens
        self._requests = requests
        self._counters = counters
        self._slides = strategy == "sliding-window-counter"
        self._longest = LONGEST if self._slides else int(WINDOW)

    def admit(self, who: str) -> RawHeaders:
        """Count a call, and return the headers that tell what is left. Raises `RateLimited`; that does not count."""
        tally = self._counters.tally(who)
        elapsed = self._counters.elapsed
        share = 1 - elapsed / WINDOW if self._slides else 0.0
        seconds = self._longest - int(elapsed)  # until nothing is used up, of what is used in this window
        headers: RawHeaders = []
        if (limit := self._tokens) is not None:
            left = limit.amount - tally.tokens - int(tally.tokens_before * share)
            if left <= 0:
                raise limit.refusal(tally.reading("tokens", elapsed))
            reset = seconds if tally.tokens else limit.window.reset_after(tally.reading("tokens", elapsed))
            headers += limit.told, (limit.remaining, b"%d" % left), limit.resets[reset]
        if (limit := self._requests) is not None:
            left = limit.amount - tally.requests - int(tally.requests_before * share)
            if left <= 0:
                raise limit.refusal(tally.reading("requests", elapsed))
            tally.requests += 1
            headers += limit.told, (limit.remaining, b"%d" % (left - 1)), limit.resets[seconds]
        return headers
