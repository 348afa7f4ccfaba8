"""Carries out the lines of one batch, several at a time, each until there is a result that is written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import Final

from gateway.batches.line import LineReply, answered, call_of
from gateway.batches.means import Means
from gateway.errors import GatewayError, ProviderError, RateLimited, Unavailable
from gateway.store import Unit
from gateway.store.batch_runs import Line, NotOurs, line_begun, line_ended, put_back, waiting_lines
from gateway.store.batches import StoredBatch
from gateway.types import Principal

log = logging.getLogger("gateway.batches")

BUSY: Final = frozenset({429, 503, 529})
"""What providers answer that are asked too much."""
PROVIDER_TRIES: Final = 5
"""Calls that are made of a line as long as its provider is busy. The gateway's own limits are waited for without end."""
LONGEST_WAIT: Final = 60.0
WRITE_PAUSE: Final = 1.0


class CarryOut:
    """The lines of one batch, in the order of the file."""

    def __init__(self, means: Means, batch: StoredBatch, principal: Principal) -> None:
        self._means = means
        self._batch = batch
        self._wire = means.endpoints[batch.endpoint]
        self.principal = principal
        """For whom calls are made from now on."""
        self._stopped = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether lines may be left that were not carried out."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Begin no more calls; those that run come to their end."""
        self._stopped.set()

    async def run(self) -> None:
        """Carry out all lines, or those that had begun when it was stopped."""
        places = asyncio.Semaphore(self._means.at_once)
        async with asyncio.TaskGroup() as tasks:
            after = 0
            while lines := await self._next(after):
                for line in lines:
                    await places.acquire()
                    task = tasks.create_task(self._line(line), name=f"gateway {self._batch.id}")
                    task.add_done_callback(lambda _: places.release())
                after = lines[-1].number

    async def _next(self, after: int) -> list[Line]:
        """Return the next lines; none when there are no more, or no more are to be begun."""
        means = self._means
        while not self._stopped.is_set():
            try:
                return await waiting_lines(means.database, self._batch, after=after, limit=means.at_once)
            except Unavailable:
                await self._pause(WRITE_PAUSE)
        return []

    async def _line(self, line: Line) -> None:
        """Carry out one line. What it raises would take the calls of all others with it, so it raises nothing."""
        try:
            await self._until_ended(line)
        except NotOurs:
            self._stopped.set()
        except Exception:  # the line stays behind as running: whoever ends the batch says so
            log.exception("%s: line %d has failed", self._batch.id, line.number)

    async def _until_ended(self, line: Line) -> None:
        calls = 0
        while True:
            async with self._means.slots:
                if self._stopped.is_set():
                    return
                calls += 1
                wait = await self._call(line, calls)
            if wait is None:
                return
            await self._pause(wait)

    async def _call(self, line: Line, calls: int) -> float | None:
        """Make one call of a line; return after how many seconds to make the next, None when it needs none."""
        number = self._means.new_id()
        try:
            call = call_of(line, self._batch.id, self._wire, self.principal, number)
        except GatewayError as error:
            result = answered(line, f"req_{number}", error.status, self._wire.error(error))
            await self._keep(line_ended(self._batch, line, "failed", result))
            return None
        try:
            await self._means.ledger.write(line_begun(self._batch, line, call.id))
        except Unavailable:
            return WRITE_PAUSE
        reply = LineReply(
            line,
            call,
            self._wire,
            retry=lambda error: _retry_after(error, calls),
            ended=lambda state, result: line_ended(self._batch, line, state, result),
            write=self._means.ledger.write,
        )
        await self._means.pipeline.run(call, reply)
        if reply.unit:
            await self._keep(reply.unit, reply.written)
        elif reply.was_shut_down:
            self._stopped.set()
            with contextlib.suppress(Unavailable):  # then it is left running, and found so
                await put_back(self._means.database, self._batch, line, tries=line.tries)
        return reply.again_after

    async def _keep(self, unit: Unit, written: asyncio.Future[None] | None = None) -> None:
        """Write a result down, however long that takes: the call behind it is made and paid for."""
        in_doubt = False
        while True:
            try:
                await (written or self._means.ledger.write(unit))
            except Unavailable:
                in_doubt, written = True, None
                await asyncio.sleep(WRITE_PAUSE)
            except NotOurs:
                if in_doubt:  # an earlier attempt was written after all; if not, the next line will tell
                    return
                raise
            else:
                return

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return


def _retry_after(error: GatewayError, calls: int) -> float | None:
    """After how many seconds a call that was refused is worth another; None when never."""
    if isinstance(error, ProviderError):
        if error.status not in BUSY or calls >= PROVIDER_TRIES:
            return None
    elif not isinstance(error, RateLimited | Unavailable):
        return None
    asked = dict(error.headers).get(b"retry-after", b"")
    wait = float(asked) if asked.isdigit() else 2.0 ** min(calls, 6)
    # Spread out, so that lines refused together do not come back together.
    return min(wait, LONGEST_WAIT) * random.uniform(1.0, 1.25)  # noqa: S311 - nobody gains by guessing it
