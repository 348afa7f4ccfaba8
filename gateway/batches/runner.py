"""Runs the batches of this process, and takes on those of processes that have died."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, TypeAlias

from gateway.batches.means import Means
from gateway.batches.run import Run
from gateway.rounds import Rounds
from gateway.store.batch_runs import running_batches, take_orphans
from gateway.store.batches import StoredBatch
from gateway.store.files import delete_expired_files

log = logging.getLogger("gateway.batches")

PATROL_SECONDS: Final = 1.0
ORPHANS_SECONDS: Final = 5.0
EXPIRY_SECONDS: Final = 3600.0
STOP_SECONDS: Final = 5.0
AT_ONCE: Final = 32
"""Batches that run at the same time; the others wait for their turn."""

_Name: TypeAlias = tuple[str, str]


class Runner(Rounds):
    """All batches of one gateway."""

    def __init__(self, means: Means) -> None:
        super().__init__("gateway batches", pause=PATROL_SECONDS, log=log)
        self._means = means
        self._runs: dict[_Name, tuple[Run, asyncio.Task[None]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._draining = False
        self._orphans = self._expiry = 0.0

    def start(self) -> None:
        """Begin to look after batches. The ledger has been started before."""
        self._draining = False
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._means.slots = asyncio.Semaphore(self._means.at_once)
        self._orphans = self._expiry = 0.0
        super().start()

    def take(self, batch: StoredBatch) -> None:
        """Begin to run a batch that is this worker's."""
        name = (batch.tenant, batch.id)
        if self._draining or name in self._runs:
            return
        run = Run(self._means, batch)
        task = asyncio.get_running_loop().create_task(self._run(name, run), name=f"gateway {batch.id}")
        self._runs[name] = (run, task)

    def look(self, batch: StoredBatch) -> None:
        """Tell that a batch was changed, which is else seen within a second."""
        if run := self._runs.get((batch.tenant, batch.id)):
            run[0].look()

    def drain(self) -> None:
        """Begin no more calls."""
        self._draining = True
        for run, _ in self._runs.values():
            run.drain()

    async def stop(self) -> None:
        """End everything; what has not ended is for another process, or for the next start, to go on with."""
        self.drain()
        await super().stop()
        tasks = [task for _, task in self._runs.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _run(self, name: _Name, run: Run) -> None:
        try:
            async with self._turns:
                await run.run()
        finally:
            del self._runs[name]

    async def go_round(self) -> None:
        """Take on what others have left, delete what is past its time, and see which runs were cancelled."""
        now = time.monotonic()
        if now >= self._orphans:
            for batch in await take_orphans(self._means.database, self._means.ledger.worker):
                log.info("%s: taken on where another process has left it", batch.id)
                self.take(batch)
            self._orphans = now + ORPHANS_SECONDS
        if now >= self._expiry:
            count = await delete_expired_files(self._means.database)
            self._expiry = now + EXPIRY_SECONDS
            if count:
                log.info("%d files were past their time and are deleted", count)
        await self._check()

    async def _check(self) -> None:
        if not self._runs:
            return
        states = await running_batches(self._means.database, self._means.ledger.worker)
        for name, (run, _) in list(self._runs.items()):
            if states.get(name, "cancelling") == "cancelling":
                run.look()
            else:
                await run.check()
