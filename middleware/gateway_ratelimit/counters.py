"""Where the counting happens: in this process, or in a storage that all workers share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from gateway_ratelimit.windows import WINDOW, Reading, What

if TYPE_CHECKING:
    from limits.aio.storage import Storage

log = logging.getLogger("gateway.plugin.middleware.ratelimit")


class Counters(Protocol):
    """Counts requests and tokens per key and window. A reading comes at once, or is to be awaited: see `read_now`."""

    def add(self, what: What, key: str, amount: int) -> Reading | Awaitable[Reading]:
        """Count, and return what is counted now. A negative amount gives back."""
        ...

    def read(self, what: What, key: str) -> Reading | Awaitable[Reading]:
        """Return what is counted now."""
        ...

    def spend(self, key: str, tokens: int) -> None:
        """Count tokens, without waiting."""
        ...

    async def close(self) -> None:
        """Finish what was to be counted soon."""
        ...


async def read_now(reading: Reading | Awaitable[Reading]) -> Reading:
    """Wait for a reading that has to be waited for."""
    return reading if isinstance(reading, Reading) else await reading


class Tally:
    """What one key has used in the present window, and in the one before."""

    __slots__ = ("requests", "requests_before", "tokens", "tokens_before")

    def __init__(self, before: Tally | None) -> None:
        self.requests = 0
        self.tokens = 0
        self.requests_before = before.requests if before else 0
        self.tokens_before = before.tokens if before else 0

    def reading(self, what: What, elapsed: float) -> Reading:
        """The part that a limit is about."""
        if what == "requests":
            return Reading(self.requests, self.requests_before, elapsed)
        return Reading(self.tokens, self.tokens_before, elapsed)


class MemoryCounters:
    """Counts in this process. Two dicts, one per window, are all there is: no sweeping, no locks, no tasks.

    The memory storage of `limits` walks over all its keys at every hit: 80 µs with 10,000 keys.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._current: dict[str, Tally] = {}
        self._previous: dict[str, Tally] = {}
        self.elapsed = 0.0
        """Seconds since the present window began, by the last `tally`."""

    def tally(self, key: str) -> Tally:
        """Return what a key has used by now, to be read or added to before anything is awaited."""
        elapsed = self._clock() - self._began
        if elapsed >= WINDOW:
            elapsed = self._roll(elapsed)
        self.elapsed = elapsed
        return self._current.get(key) or self._begin(key)

    def add(self, what: What, key: str, amount: int) -> Reading:
        """Count, and return what is counted now."""
        tally = self.tally(key)
        if what == "requests":
            tally.requests += amount
        else:
            tally.tokens += amount
        return tally.reading(what, self.elapsed)

    def read(self, what: What, key: str) -> Reading:
        """Return what is counted now."""
        return self.tally(key).reading(what, self.elapsed)

    def spend(self, key: str, tokens: int) -> None:
        """Count at once; nothing has to wait here."""
        self.tally(key).tokens += tokens

    async def close(self) -> None:
        """Do nothing: there is nothing left to count."""

    def _begin(self, key: str) -> Tally:
        """Begin to count for a key in the present window."""
        tally = self._current[key] = Tally(self._previous.get(key))
        return tally

    def _roll(self, elapsed: float) -> float:
        """Begin a new window; return the seconds since it began."""
        windows = elapsed // WINDOW
        self._previous = self._current if windows == 1 else {}
        self._current = {}
        self._began += windows * WINDOW
        return elapsed - windows * WINDOW


class SharedCounters:
    """Counts in a storage of the library `limits` that another plugin registered: one round trip for each call.

    When the storage fails, calls are let through: a limit protects capacity, and a gateway that stands still protects
    nothing.
    """

    def __init__(self, storage: Storage, prefix: str, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._prefix = prefix
        self._clock = clock
        self._window = 0
        self._previous: dict[str, int] = {}
        """The final counts of the last window, fetched once for each name."""
        self._spent: Counter[str] = Counter()
        self._writer: asyncio.Task[None] | None = None
        self._away = False

    def add(self, what: What, key: str, amount: int) -> Awaitable[Reading]:
        """Count, and return what is counted now."""
        return self._reading(what, key, amount)

    def read(self, what: What, key: str) -> Awaitable[Reading]:
        """Return what is counted now."""
        return self._reading(what, key, 0)

    def spend(self, key: str, tokens: int) -> None:
        """Count from a task of its own; what comes meanwhile goes with the next round trip."""
        self._spent[key] += tokens
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="ratelimit: count tokens")

    async def close(self) -> None:
        """Finish what was to be counted soon."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._spent:
            key, tokens = self._spent.popitem()
            await self._reading("tokens", key, tokens)
        self._writer = None

    async def _reading(self, what: What, key: str, amount: int) -> Reading:
        now = self._clock()
        window = int(now // WINDOW)
        elapsed = now - window * WINDOW
        if window != self._window:
            self._window = window
            self._previous = {}
        name = f"{self._prefix}/{what}/{key}/"
        try:
            previous = self._previous.get(name)
            if previous is None:
                previous = self._previous[name] = await self._storage.get(f"{name}{window - 1}")
            if amount:
                current = await self._storage.incr(f"{name}{window}", int(2 * WINDOW), amount)
            else:
                current = await self._storage.get(f"{name}{window}")
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            if not self._away:
                self._away = True
                log.error("The shared counters fail, so no limit holds: %s: %s", type(error).__name__, error)  # noqa: TRY400
            return Reading(0, 0, elapsed)
        if self._away:
            self._away = False
            log.warning("The shared counters work again.")
        return Reading(current, previous, elapsed)
