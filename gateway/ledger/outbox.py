"""Settled calls on their way to sinks: at least once, in order for each sink, and no sink waits for another.

A settlement leaves one row per sink in the outbox, in its own transaction; a row goes when its sink has taken the call.
Of several workers one delivers to a sink at a time, as long as its lease lasts and it lives.

While a sink is away everything waits for it. A call that alone is not taken lets the others pass: it is tried again
later and later, and at last becomes a dead letter.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.billing import TakesNotices
from gateway.errors import Unavailable, Undelivered
from gateway.protocols import Sink
from gateway.store import Database, notices
from gateway.store.calls import as_record
from gateway.store.deliveries import Dead, Retry, cut, due, note_delivery, note_failure
from gateway.store.tables import sink_leases, workers

log = logging.getLogger("gateway.ledger")

_BATCH = 100
_GATHER = 0.05
_POLL = 2.0
_LEASE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
"""Of a sink that is away; doubled each time."""
_FIRST_RETRY, _LONGEST_RETRY = 5.0, 6 * 3600.0
"""Of a call that alone is not taken; three times as long each time."""
_MOST_ATTEMPTS = 12
"""So that a call is given up after about a day."""
_SUSPECT = 3
"""After so many failures in a row one record may be what stops the others."""
_SINGLE_SECONDS = 5.0

_Deliver: TypeAlias = Callable[[Sequence[Mapping[str, Any]]], Awaitable[None]]


class Outbox:
    """Delivers to all sinks, each by a task of its own, and lets them hear of notices."""

    def __init__(self, database: Database, worker: str, sinks: Sequence[Sink]) -> None:
        self._database = database
        self._couriers = [Courier(database, worker, sink) for sink in sinks]
        self._hearing = [sink.name for sink in sinks if isinstance(sink, TakesNotices)]
        self._tasks: list[asyncio.Task[None]] = []
        self._handing_out: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._tasks = [
            asyncio.create_task(courier.run(), name="gateway outbox") for courier in self._couriers
        ]
        self._handing_out = asyncio.create_task(self._hand_out(), name="gateway notices")

    def wake(self) -> None:
        """Something may have been settled."""
        for courier in self._couriers:
            courier.wake()

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - what is left at its end is delivered by the next one
        """Deliver what is there, for at most `timeout` seconds; the rest stays in the outbox."""
        if self._handing_out is not None:
            self._handing_out.cancel()
            await asyncio.wait({self._handing_out})
        for courier in self._couriers:
            courier.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        for courier in self._couriers:
            await courier.leave()

    async def _hand_out(self) -> None:
        """Put new notices before the couriers; also where nobody hears, so that old ones surprise no later sink."""
        while True:
            await asyncio.sleep(_POLL)
            try:
                while await notices.hand_out(self._database, self._hearing):
                    self.wake()
            except Unavailable:
                continue  # the journal says so
            except Exception:
                log.exception("handing out notices failed, trying again in %g s", _POLL)


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
                await self._tell(error)
                if self._finishing:
                    return
                doubled = min(self._failures - 1, 20)
                await asyncio.sleep(_jittered(min(_FIRST_PAUSE * 2**doubled, _LONGEST_PAUSE)))
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
        rows = await due(self._database, self._sink.name, _BATCH)
        if not rows:
            return False
        # What is neither a call nor a notice was deleted: there is nothing to tell.
        found = await notices.notices_of(self._database, [row.waiting for row in rows if row.id is None])
        records = [as_record(row) for row in rows if row.id is not None]
        problems = await self._hand_over(self._sink.deliver, records)
        if isinstance(self._sink, TakesNotices):
            told = [notices.as_record(found[row.waiting]) for row in rows if row.waiting in found]
            problems = _both(problems, await self._hand_over(self._sink.deliver_notices, told))
        await self._note(rows, problems)
        return len(rows) == _BATCH and not problems.left

    async def _hand_over(self, deliver: _Deliver, records: Sequence[Mapping[str, Any]]) -> Undelivered:
        """Let the sink take the records; return what it did not take."""
        if not records:
            return Undelivered()
        try:
            async with asyncio.timeout(_LEASE / 2):
                await deliver(records)
        except Undelivered as problems:
            return problems
        except Exception:
            if self._failures < _SUSPECT or len(records) == 1:
                raise
            return await self._one_by_one(deliver, records)
        return Undelivered()

    async def _one_by_one(self, deliver: _Deliver, records: Sequence[Mapping[str, Any]]) -> Undelivered:
        """Find the records that a sink fails on; raise what it raises for any one of them when it seems to be away."""
        probe = random.choice(records)  # noqa: S311 - no secret
        await _single(deliver, probe)
        until = time.monotonic() + _LEASE / 2
        failed: dict[str, str] = {}
        left: set[str] = set()
        for record in records:
            if record is probe:
                continue
            if time.monotonic() > until:
                left.add(record["id"])
                continue
            try:
                await _single(deliver, record)
            except Exception as error:  # noqa: BLE001 - a sink may raise anything
                failed[record["id"]] = _words(error)
        return Undelivered(failed=failed, left=left)

    async def _note(self, rows: Sequence[Any], problems: Undelivered) -> None:
        """Take from the outbox what was taken or is given up, and put off the rest."""
        reasons = {**problems.failed, **problems.refused}
        gone: list[int] = []
        retries: list[Retry] = []
        dead: list[Dead] = []
        for row in rows:
            attempts = row.tries + 1
            if row.waiting in problems.left:
                continue
            if row.waiting in problems.failed and attempts < _MOST_ATTEMPTS:
                pause = min(_FIRST_RETRY * 3 ** (attempts - 1), _LONGEST_RETRY)
                again = time.time() + _jittered(pause)
                retries.append(Retry(position=row.position, attempts=attempts, due_at=again))
                continue
            gone.append(row.position)
            if row.waiting in reasons:
                dead.append(Dead(call=row.waiting, attempts=attempts, error=reasons[row.waiting]))
        name = self._sink.name
        taken = len(gone) - len(dead)
        await note_delivery(self._database, name, gone=gone, taken=taken, retries=retries, dead=dead)
        if reasons:
            await note_failure(self._database, name, next(iter(reasons.values())))
        for each in dead:
            log.warning("sink '%s' will not take %s: %s", name, each.call, cut(each.error))

    async def _lease(self) -> bool:
        """Be the one who delivers for the next `_LEASE` seconds; return whether that succeeded."""
        now = time.time()
        if self._leased_until - now > _LEASE * 0.75:
            return True
        name = self._sink.name
        query = (
            select(sink_leases, workers.c.id.label("alive"))
            .join_from(sink_leases, workers, sink_leases.c.worker == workers.c.id, isouter=True)
            .where(sink_leases.c.sink == name)
        )
        async with self._database.connect() as connection:
            held: Any = (await connection.execute(query)).one_or_none()
        if held is not None and held.alive not in {None, self._worker} and held.leased_until > now:
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

    async def _tell(self, error: Exception) -> None:
        name, failures = self._sink.name, self._failures
        if failures & (failures - 1) == 0:
            log.warning(
                "sink '%s' took nothing (%d times in a row), trying again: %s", name, failures, _words(error)
            )
        try:
            await note_failure(self._database, name, _words(error))
        except Unavailable as away:
            log.warning("sink '%s': its state cannot be written: %s", name, away.message)


async def _single(deliver: _Deliver, record: Mapping[str, Any]) -> None:
    async with asyncio.timeout(_SINGLE_SECONDS):
        await deliver([record])


def _both(one: Undelivered, other: Undelivered) -> Undelivered:
    return Undelivered(
        failed={**one.failed, **other.failed},
        refused={**one.refused, **other.refused},
        left={*one.left, *other.left},
    )


def _words(error: Exception) -> str:
    """What went wrong: clients of brokers say it in the text alone, and others in the class alone."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _jittered(seconds: float) -> float:
    """About as long, so that those who failed together do not all come back together."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
