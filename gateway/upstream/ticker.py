"""One timer for all timeouts of a client."""

from __future__ import annotations

import asyncio
from typing import Protocol

INTERVAL = 0.1
"""Seconds between two looks at the clock while anything waits."""


class Busy(Protocol):
    """Something whose time may run out."""

    def check(self, now: float) -> None:
        """Give up when a deadline has passed; `now` is the loop's time."""
        ...


class Shelf(Protocol):
    """Something that holds idle connections and requests waiting for one."""

    def expire(self, now: float) -> float | None:
        """Drop what is too old; return when to look again, None when there is nothing to wait for."""
        ...


class Ticker:
    """Looks at every running exchange ten times a second, and at nothing when nothing runs.

    Starting an exchange thus costs no timer: it is put into `busy`, and taken out when it ends.
    """

    __slots__ = ("_shelves", "_timer", "busy", "loop", "running")

    loop: asyncio.AbstractEventLoop
    """The one on which it runs: to ask for it anew costs a system call."""

    def __init__(self) -> None:
        self.busy: set[Busy] = set()
        self.running = False
        """Whether it ticks at full pace; `start` makes it so."""
        self._shelves: list[Shelf] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, shelf: Shelf) -> None:
        """Look after this shelf too."""
        self._shelves.append(shelf)

    def start(self) -> None:
        """Tick from now on, until nothing is busy."""
        self.stop()
        self.running = True
        self.loop = asyncio.get_running_loop()
        self._timer = self.loop.call_later(INTERVAL, self._tick)

    def stop(self) -> None:
        """Stop ticking."""
        self.running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = self.loop
        now = loop.time()
        for exchange in tuple(self.busy):
            exchange.check(now)
        dates = [date for shelf in self._shelves if (date := shelf.expire(now)) is not None]
        if self.busy:
            self._timer = loop.call_later(INTERVAL, self._tick)
            return
        self.running = False
        self._timer = loop.call_at(max(min(dates), now + INTERVAL), self._tick) if dates else None
