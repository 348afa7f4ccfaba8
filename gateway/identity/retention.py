"""Carries out what tenants want kept no longer, and what is over by itself: one worker at a time, every hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from gateway.errors import Unavailable
from gateway.store.erasure import sweep
from gateway.store.kept_answers import delete_expired_answers
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from gateway.store import Database

log = logging.getLogger("gateway.retention")

PERIOD: Final = 3600.0
"""Seconds between two sweeps, whoever does them."""

_LOOK: Final = 300.0
"""Seconds between two looks of each worker whether a sweep is due."""

_PURPOSE: Final = "retention"


class Retention:
    """Sweeps when nobody has within the hour."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Tickets(database, _PURPOSE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="gateway retention")

    async def stop(self) -> None:
        """End, in the midst of a sweep too: the next one goes on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def look(self) -> bool:
        """Sweep when it is due, and return whether it was. Raises `Unavailable`."""
        if not await self._turns.spend("sweep", seconds=PERIOD):
            return False
        await delete_expired_answers(self._database)
        count = await sweep(self._database, now=time.time())
        if count:
            log.info("%d calls are older than their tenants keep them: what is personal is gone", count)
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self.look()
            except Unavailable:
                continue  # the journal says so, and when it is over
            except Exception:
                log.exception("the sweep has failed, trying again in an hour")
