"""The journal: many small units of writes, committed together.

Units wait in a queue. Whenever the writer is free it takes all that are there and commits them in one transaction, so
an idle gateway commits at once and a busy one pays for one commit many times shared. No timer holds anything back.

Two kinds of submitters: those who wait (`submit`) are told of success, refusal, or after a bounded time that the
database is away; what nobody waits for (`submit_nowait`) is kept and tried again until it is written.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from time import monotonic

from msgspec import Struct

from gateway.errors import GatewayError, Unavailable
from gateway.store.backend import Answer, Away, Backend, Unwritable
from gateway.store.database import Database
from gateway.store.writes import Unit, describe

log = logging.getLogger("gateway.journal")

_BATCH = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_PATROL = 0.25


class _Entry(Struct):
    unit: Unit
    waiter: asyncio.Future[None] | None
    deadline: float
    alone: bool = False


class Journal:
    """Writes units to the database, in the order they were submitted. Belongs to one event loop.

    `patience` is how many seconds a waiting submitter waits at most, `capacity` how many units are kept at most.
    """

    def __init__(
        self,
        database: Database,
        *,
        patience: float = 5.0,
        capacity: int = 100_000,
        committed: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._patience = patience
        self._capacity = capacity
        self._committed = committed
        self._queue: list[_Entry] = []
        self._batch: list[_Entry] = []
        self._away_since: float | None = None
        self._accepting = False
        self._next: asyncio.Handle | None = None
        self._busy = self._closed = False
        self._idle: asyncio.Future[None] | None = None
        self._pause = 0.0
        self._patrol: asyncio.TimerHandle | None = None
        self._lost = 0

    async def start(self) -> None:
        """Begin to write. Opens the connection with the first unit."""
        self._loop = asyncio.get_running_loop()
        self._backend = _backend(self._database)
        self._away_since, self._pause, self._lost = None, 0.0, 0
        self._accepting = True

    @property
    def accepts(self) -> bool:
        """Whether it was started and not yet stopped."""
        return self._accepting

    @property
    def away(self) -> bool:
        """Whether the last attempt to write found the database away."""
        return self._away_since is not None

    def submit(self, unit: Unit) -> asyncio.Future[None]:
        """Write a unit; the future is done when it is durable.

        It fails with `Unavailable` when that takes too long, and with the refusal when a guard of the unit refuses.
        In the first case, as when the future is cancelled, the unit may still have been written.
        Raises `Unavailable` when nothing was even tried.
        """
        if not self._accepting:
            raise Unavailable("The gateway is not running.")
        now = monotonic()
        if len(self._queue) >= self._capacity or (
            self._away_since is not None and now - self._away_since > self._patience
        ):
            raise _away()
        waiter: asyncio.Future[None] = asyncio.Future(loop=self._loop)
        self._queue.append(_Entry(unit, waiter, now + self._patience))
        if not self._busy:
            self._begin()
        if self._patrol is None:
            self._patrol = self._loop.call_later(_PATROL, self._expire)
        return waiter

    def submit_nowait(self, unit: Unit) -> None:
        """Write a unit as soon as possible. Never raises; what cannot be kept is logged as lost."""
        if not self._accepting or len(self._queue) >= self._capacity:
            self._lose(unit, "the journal is full" if self._accepting else "the journal is stopped")
        else:
            self._queue.append(_Entry(unit, None, 0.0))
            if not self._busy:
                self._begin()

    def _begin(self) -> None:
        """Write from the next turn of the loop on, so that what this one submits goes together."""
        self._busy = True
        self._next = self._loop.call_soon(self._write)

    async def stop(self, timeout: float) -> int:  # noqa: ASYNC109 - what is left at its end is counted, not raised
        """Write what is queued, for at most `timeout` seconds; return how many units were lost, ever.

        Each of those left is logged as JSON.
        """
        self._accepting = False
        if self._busy:
            self._idle = self._loop.create_future()
            await asyncio.wait({self._idle}, timeout=timeout)
        self._closed = True
        await self._backend.close()
        for timer in (self._next, self._patrol):
            if timer is not None:
                timer.cancel()
        self._next = self._patrol = None
        for entry in (*self._batch, *self._queue):
            if entry.waiter is None:
                self._lose(entry.unit, "the database was away when the gateway stopped")
            elif not entry.waiter.done():
                entry.waiter.set_exception(Unavailable("The gateway is shutting down."))
        self._batch, self._queue = [], []
        self._busy = self._closed = False
        self._idle = None
        return self._lost

    def _write(self) -> None:
        """Hand the next batch to the database; without one, while the database is away, just try."""
        if self._closed:
            return
        if not self._batch:
            size = 1 if self._queue and self._queue[0].alone else _BATCH
            self._batch, self._queue = self._queue[:size], self._queue[size:]
        self._backend.write([entry.unit for entry in self._batch], self._written)

    def _written(self, answer: Answer) -> None:
        """Take the database's answer to a batch, and go on with the next one.

        Called once for the whole batch, straight from the backend: each task woken on the way would cost more than the
        writing itself.
        """
        if isinstance(answer, Away):
            self._went_away(answer)
            self._batch = [e for e in self._batch if e.waiter is None or not e.waiter.done()]
            self._pause = min(self._pause * 2, _LONGEST_PAUSE) if self._pause else _FIRST_PAUSE
            if self._accepting or self._batch or self._queue:
                self._next = self._loop.call_later(self._pause, self._write)
                return
        elif isinstance(answer, Unwritable):
            if len(self._batch) == 1:
                self._give_up(self._batch.pop(), answer)
            else:
                self._separate()
        else:
            self._came_back()
            self._resolve(answer)
        if self._queue or (self.away and self._accepting):
            # From the next turn of the loop on: what it brings, and what those submit who go on now, goes along.
            self._next = self._loop.call_soon(self._write)
        else:
            self._busy = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)

    def _separate(self) -> None:
        """One unit of the batch cannot be written: find it by writing each alone."""
        for entry in self._batch:
            entry.alone = True
        self._batch, self._queue = [], self._batch + self._queue

    def _resolve(self, refused: Mapping[int, GatewayError]) -> None:
        batch, self._batch = self._batch, []
        for place, refusal in refused.items():
            self._give_up(batch[place], refusal)
        for entry in batch:
            waiter = entry.waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        if self._committed is not None and batch:
            self._committed()

    def _give_up(self, entry: _Entry, problem: Exception) -> None:
        if entry.waiter is None:
            self._lose(entry.unit, str(problem))
        elif not entry.waiter.done():
            if isinstance(problem, GatewayError):
                entry.waiter.set_exception(problem)
            else:
                log.error("a unit cannot be written: %s: %s", problem, _as_json(entry.unit))
                entry.waiter.set_exception(GatewayError("The gateway could not record this request."))

    def _lose(self, unit: Unit, reason: str) -> None:
        self._lost += 1
        log.error("lost a unit of writes (%d so far): %s: %s", self._lost, reason, _as_json(unit))

    def _expire(self) -> None:
        """Tell those whose patience is over. Runs only while something waits."""
        now = monotonic()
        waiting = False
        for entry in (*self._batch, *self._queue):
            waiter = entry.waiter
            if waiter is None or waiter.done():
                continue
            if entry.deadline > now:
                waiting = True
                break
            waiter.set_exception(_away())
            self._went_away(f"no answer within {self._patience:g} s")
        self._patrol = self._loop.call_later(_PATROL, self._expire) if waiting else None

    def _went_away(self, problem: Exception | str) -> None:
        if self._away_since is None:
            self._away_since = monotonic()
            log.error("the database does not take writes, trying again until it does: %s", problem)

    def _came_back(self) -> None:
        if self._away_since is not None:
            log.warning("the database takes writes again after %.1f s", monotonic() - self._away_since)
            self._away_since, self._pause = None, 0.0


def _away() -> Unavailable:
    return Unavailable(
        "The gateway's database does not take writes at present.", headers=[(b"retry-after", b"5")]
    )


def _as_json(unit: Unit) -> str:
    return json.dumps(list(describe(unit)), default=repr)


def _backend(database: Database) -> Backend:
    if database.dialect == "sqlite":
        from gateway.store.journal_sqlite import SqliteBackend  # noqa: PLC0415 - only the one in use

        return SqliteBackend(database)
    from gateway.store.journal_postgres import PostgresBackend  # noqa: PLC0415 - needs an extra

    return PostgresBackend(database)
