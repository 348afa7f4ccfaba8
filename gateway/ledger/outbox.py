"""Settled calls on their way to sinks: at least once, in order for each sink, and no sink waits for another.

A settlement leaves one row per sink in the outbox, in its own transaction; a row goes when its sink has taken the call.
Of several workers one delivers to a sink at a time, as long as its lease lasts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import Unavailable
from gateway.protocols import Sink
from gateway.store import Database
from gateway.store.calls import as_record
from gateway.store.tables import model_calls, outbox, sink_leases

log = logging.getLogger("gateway.ledger")

_BATCH = 100
_GATHER = 0.05
_POLL = 2.0
_LEASE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


class Outbox:
    """Delivers to all sinks, each by a task of its own."""

    def __init__(self, database: Database, worker: str, sinks: Sequence[Sink]) -> None:
        self._couriers = [Courier(database, worker, sink) for sink in sinks]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [
            asyncio.create_task(courier.run(), name="gateway outbox") for courier in self._couriers
        ]

    def wake(self) -> None:
        """Something may have been settled."""
        for courier in self._couriers:
            courier.wake()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - what is left at its end is delivered by the next one
        """Deliver what is there, for at most `timeout` seconds; the rest stays in the outbox."""
        for courier in self._couriers:
            courier.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        for courier in self._couriers:
            await courier.leave()


class Courier:
    """Delivers to one sink."""

    def __init__(self, database: Database, worker: str, sink: Sink) -> None:
        self._database = database
        self._worker = worker
        self._sink = sink
        self._leased_until = 0.0
        self._failures = 0
        self._finishing = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to deliver."""
        self._woken.set()

    def finish(self) -> None:
        """Deliver what is there, then end."""
        self._finishing = True
        self._woken.set()

    async def run(self) -> None:
        """Deliver until told to finish."""
        while True:
            self._woken.clear()
            is_last = self._finishing  # a look begun before that may have missed the last settlements
            try:
                more = await self._deliver()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - a sink may raise anything; it is told, and tried again
                self._failures += 1
                self._tell(error)
                if self._finishing:
                    return
                await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE))
                continue
            if not more:
                if is_last:
                    return
                await self._wait()

    async def leave(self) -> None:
        """Give the lease back, so that another worker goes on at once."""
        if self._leased_until == 0:
            return
        mine = (sink_leases.c.sink == self._sink.name, sink_leases.c.worker == self._worker)
        try:
            async with self._database.begin() as connection:
                await connection.execute(delete(sink_leases).where(*mine))
        except Unavailable as error:
            log.warning("the lease on sink '%s' stays until it runs out: %s", self._sink.name, error.message)

    async def _wait(self) -> None:
        """Wait for a settlement of this worker, or for long enough to look for those of others."""
        try:
            async with asyncio.timeout(_POLL):
                await self._woken.wait()
            if not self._finishing:
                await asyncio.sleep(_GATHER)
        except TimeoutError:
            return

    async def _deliver(self) -> bool:
        """Deliver one batch; return whether there may be more."""
        if not await self._lease():
            return False
        query = (
            select(outbox.c.position, model_calls)
            .join_from(outbox, model_calls, outbox.c.call == model_calls.c.id, isouter=True)
            .where(outbox.c.sink == self._sink.name)
            .order_by(outbox.c.position)
            .limit(_BATCH)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return False
        records = [
            as_record(row) for row in rows if row.id is not None
        ]  # a deleted call leaves nothing to tell
        async with asyncio.timeout(_LEASE / 2):
            await self._sink.deliver(records)
        taken = outbox.c.position.in_([row.position for row in rows])
        async with self._database.begin() as connection:
            await connection.execute(delete(outbox).where(taken))
        return len(rows) == _BATCH

    async def _lease(self) -> bool:
        """Be the one who delivers for the next `_LEASE` seconds; return whether that succeeded."""
        now = time.time()
        if self._leased_until - now > _LEASE * 0.75:
            return True
        name = self._sink.name
        async with self._database.connect() as connection:
            held: Any = (
                await connection.execute(select(sink_leases).where(sink_leases.c.sink == name))
            ).one_or_none()
        if held is not None and held.worker != self._worker and held.leased_until > now:
            self._leased_until = 0.0
            return False
        taken = await self._take(held, now + _LEASE)
        self._leased_until = now + _LEASE if taken else 0.0
        return taken

    async def _take(self, held: Any, until: float) -> bool:
        name = self._sink.name
        try:
            async with self._database.begin() as connection:
                if held is None:
                    row = {"sink": name, "worker": self._worker, "leased_until": until}
                    await connection.execute(insert(sink_leases).values(row))
                    return True
                unchanged = (
                    sink_leases.c.sink == name,
                    sink_leases.c.worker == held.worker,
                    sink_leases.c.leased_until == held.leased_until,
                )
                renewed = (
                    update(sink_leases).where(*unchanged).values(worker=self._worker, leased_until=until)
                )
                return (await connection.execute(renewed)).rowcount == 1
        except IntegrityError:  # another was quicker
            return False

    def _tell(self, error: Exception) -> None:
        if self._failures == 1 or self._failures & (self._failures - 1) == 0:
            log.warning(
                "sink '%s' took nothing (%d times in a row), trying again: %r",
                self._sink.name,
                self._failures,
                error,
            )
