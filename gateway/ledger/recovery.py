"""Calls whose process has died are settled as failed, once.

Each running ledger holds a lease on its open calls: a row of `workers` whose heartbeat it renews. A worker is dead when
its process is gone from this host, or when its heartbeat has not changed for the length of the lease. What counts is
how long this process has watched it stand still, so that neither clocks that differ nor a machine that slept nor a
database that was away make a living worker look dead.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, text, update

from gateway.errors import GatewayError, Unavailable
from gateway.ledger.rows import call_of
from gateway.ledger.worker import Worker, is_gone
from gateway.store import Database, Guard, Insert, Write
from gateway.store.batch_calls import is_abroad
from gateway.store.journal import Journal
from gateway.store.tables import model_calls, workers
from gateway.types import Call, Outcome

log = logging.getLogger("gateway.ledger")

LEASE = 30.0
"""Seconds without a heartbeat after which a worker counts as dead."""
HEARTBEAT = 5.0
"""Seconds between two heartbeats."""

_AT_ONCE = 500
_OPEN = text("model_calls.status = 'processing'")  # as in the index, word for word: else it is not used


class LeaseLost(GatewayError):
    """The row of this worker is gone: others took it for dead."""


_REGISTER = Insert(workers, "id", "host", "pid", "process_start", "started_at", "heartbeat_at")
_BEAT = Guard(
    update(workers).where(workers.c.id == bindparam("worker")).values(heartbeat_at=bindparam("now")),
    "worker",
    "now",
    refusal=lambda: LeaseLost("the lease is gone"),
)


class _Sighting(Struct):
    heartbeat: float
    since: float


class Recovery:
    """Keeps this worker's lease and settles the calls of the dead. `settlement` makes the write for a call's end."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        worker: Worker,
        settlement: Callable[[Call, Outcome], Write],
        *,
        lease: float = LEASE,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._database = database
        self._journal = journal
        self._worker = worker
        self._settlement = settlement
        self._lease = lease
        self._heartbeat = heartbeat
        self._seen: dict[str, _Sighting] = {}
        self._looked_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take a lease, settle what the dead left behind, and go on doing both."""
        await self._register()
        await self.recover()
        self._task = asyncio.create_task(self._run(), name="gateway recovery")

    async def stop(self) -> None:
        """End the heartbeat."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def leave(self) -> None:
        """Give the lease back. Calls that are still open are for others, or for the next start, to settle at once."""
        mine = workers.c.id == self._worker.id
        try:
            await self._forget(mine)
            async with self._database.begin() as connection:
                await connection.execute(update(workers).where(mine).values(process_start="left"))
        except Unavailable as error:
            log.warning("the lease of this worker stays behind: %s", error.message)

    async def recover(self) -> int:
        """Settle the calls of dead workers as failed; return how many there were."""
        count = 0
        for worker, heartbeat in await self._dead():
            settled = await self._settle_all(model_calls.c.worker == worker)
            await self._forget(workers.c.id == worker, workers.c.heartbeat_at == heartbeat)
            log.warning("worker %s is dead: %d calls it left open were settled as failed", worker, settled)
            count += settled
        orphaned = and_(model_calls.c.worker.not_in(select(workers.c.id)), ~is_abroad)
        return count + await self._settle_all(
            orphaned, model_calls.c.received_at < time.time() - 2 * self._lease
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            try:
                await self._beat()
                await self.recover()
            except Unavailable:
                continue  # the journal says so, and when it is over
            except Exception:
                log.exception("recovery failed, trying again in %g s", self._heartbeat)

    async def _beat(self) -> None:
        try:
            await self._journal.submit((Write(_BEAT, (self._worker.id, time.time())),))
        except LeaseLost:
            log.error(  # noqa: TRY400 - no traceback: it is not a fault of this code
                "this worker (%s) stood still for so long that others took it for dead: "
                "calls that were open then are settled as abandoned",
                self._worker.id,
            )
            await self._register()

    async def _register(self) -> None:
        me = self._worker
        row = (me.id, me.host, me.pid, me.process_start, me.started_at, time.time())
        await self._journal.submit((Write(_REGISTER, row),))

    async def _dead(self) -> list[tuple[str, float]]:
        async with self._database.connect() as connection:
            found = (await connection.execute(select(workers).where(workers.c.id != self._worker.id))).all()
        now = time.monotonic()
        if now - self._looked_at > self._lease / 2:
            self._seen.clear()  # nobody watched meanwhile
        self._looked_at = now
        before, self._seen = self._seen, {}
        dead: list[tuple[str, float]] = []
        for row in found:
            seen = before.get(row.id)
            if seen is None or seen.heartbeat != row.heartbeat_at:
                seen = _Sighting(row.heartbeat_at, now)
            self._seen[row.id] = seen
            if now - seen.since >= self._lease or is_gone(row.host, row.pid, row.process_start):
                dead.append((row.id, row.heartbeat_at))
        return dead

    async def _settle_all(self, *which: ColumnElement[bool]) -> int:
        count = 0
        # In no order: to have one by id, SQLite would walk along all calls that ever were.
        query = select(model_calls).where(_OPEN, *which).limit(_AT_ONCE)
        while True:
            async with self._database.connect() as connection:
                rows = (await connection.execute(query)).all()
            if not rows:
                return count
            await self._settle(rows)
            count += len(rows)

    async def _settle(self, rows: Sequence[Any]) -> None:
        outcome = Outcome(
            status="failed",
            ended_at=time.time(),
            error_code="abandoned",
            error_message="The gateway process that ran this call ended before the call did.",
        )
        await asyncio.gather(
            *(self._journal.submit((self._settlement(call_of(row), outcome),)) for row in rows)
        )

    async def _forget(self, *which: ColumnElement[bool]) -> None:
        unsettled = exists().where(_OPEN, model_calls.c.worker == workers.c.id)
        async with self._database.begin() as connection:
            await connection.execute(delete(workers).where(*which, ~unsettled))
