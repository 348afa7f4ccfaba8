"""The limits that callers and their tenants have of their own, beside those of the config."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from gateway.errors import RateLimited
from gateway_ratelimit.counters import read_now
from gateway_ratelimit.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.types import Call, CallLimits, Principal, RawHeaders
    from gateway_ratelimit.counters import Counters
    from gateway_ratelimit.windows import Strategy, What


class Held(NamedTuple):
    """Limits, and the name under which is counted what they hold for."""

    who: str
    limits: CallLimits


Counted = tuple[Limit, str]
"""A limit per minute, and the name under which is counted for it."""


def held_for(principal: Principal, of_tenant: CallLimits | None) -> list[Held]:
    """The limits that a call has to keep: those of the caller, those of its tenant."""
    held: list[Held] = []
    if principal.limits is not None:
        held.append(Held(f"own:{principal.key or principal.user or principal.tenant}", principal.limits))
    if of_tenant is not None:
        held.append(Held(f"all:{principal.tenant}", of_tenant))
    return held


class CallerLimits:
    """Counts for limits that come and go with keys and tenants."""

    def __init__(self, counters: Counters, strategy: Strategy) -> None:
        self._counters = counters
        self._strategy: Strategy = strategy
        self._limits: dict[tuple[What, int], Limit] = {}
        self._counts: Counter[str] = Counter()
        self.running: dict[str, Sequence[str]] = {}
        """Calls whose number is limited, and under which names each is counted."""

    async def close(self) -> None:
        """Finish what was to be counted soon."""
        await self._counters.close()

    async def admit(self, call: Call, held: Sequence[Held], config: Iterable[Counted]) -> RawHeaders:
        """Count a call for all its limits, and return the headers of the tightest. Raises `RateLimited`."""
        self._begin(call, held)
        told: dict[str, tuple[int, RawHeaders]] = {}
        counted: list[Counted] = []
        for limit, who in sorted([*config, *self._per_minute(held)], key=_tokens_first):
            requests = limit.what == "requests"
            counters = limit.counters
            reading = await read_now(
                counters.add("requests", who, 1) if requests else counters.read("tokens", who)
            )
            used = limit.window.used(reading)
            if used > limit.amount - (not requests):
                if requests:  # what is refused does not count
                    reading = await read_now(counters.add("requests", who, -1))
                for other, name in counted:
                    await read_now(other.counters.add("requests", name, -1))
                raise limit.refusal(reading)
            if requests:
                counted.append((limit, who))
            left = limit.amount - used
            if limit.what not in told or left < told[limit.what][0]:
                told[limit.what] = left, limit.headers(reading, used)
        return [header for _, headers in told.values() for header in headers]

    def finished(self, call: Call, held: Sequence[Held], tokens: int) -> None:
        """Count the tokens of a call that has ended, and that it runs no more."""
        for who in self.running.pop(call.id, ()):
            self._counts[who] -= 1
            if not self._counts[who]:
                del self._counts[who]
        if tokens:
            for limit, who in self._per_minute(held):
                if limit.what == "tokens":
                    limit.counters.spend(who, tokens)

    def _begin(self, call: Call, held: Sequence[Held]) -> None:
        """Note that a call runs; `finished` is told of it even when it is refused after this."""
        names = [who for who, limits in held if limits.concurrent is not None]
        for who, limits in held:
            if limits.concurrent is not None and self._counts[who] >= limits.concurrent:
                raise RateLimited(
                    f"{limits.concurrent} calls at the same time are allowed, and as many are running.",
                    headers=[(b"retry-after", b"1")],
                )
        if names:
            self.running[call.id] = names
            self._counts.update(names)

    def _per_minute(self, held: Iterable[Held]) -> list[Counted]:
        found: list[Counted] = []
        for who, limits in held:
            if limits.tokens_per_minute is not None:
                found.append((self._limit("tokens", limits.tokens_per_minute), who))
            if limits.requests_per_minute is not None:
                found.append((self._limit("requests", limits.requests_per_minute), who))
        return found

    def _limit(self, what: What, amount: int) -> Limit:
        limit = self._limits.get((what, amount))
        if limit is None:
            limit = Limit(what, amount, self._strategy, self._counters)
            self._limits[what, amount] = limit
        return limit


def _tokens_first(counted: Counted) -> bool:
    return counted[0].what == "requests"
