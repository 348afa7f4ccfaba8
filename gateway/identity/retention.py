"""Carries out what tenants want kept no longer, and what is over by itself: one worker at a time, every hour."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from gateway.rounds import Rounds
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


class Retention(Rounds):
    """Sweeps when nobody has within the hour."""

    def __init__(self, database: Database) -> None:
        super().__init__("gateway retention", pause=_LOOK, log=log, at_once=False)
        self._database = database
        self._turns = Tickets(database, _PURPOSE)

    async def go_round(self) -> None:
        """Sweep when it is due. Raises `Unavailable`."""
        await self.look()

    async def look(self) -> bool:
        """Sweep when it is due, and return whether it was. Raises `Unavailable`."""
        if not await self._turns.spend("sweep", seconds=PERIOD):
            return False
        await delete_expired_answers(self._database)
        count = await sweep(self._database, now=time.time())
        if count:
            log.info("%d calls are older than their tenants keep them: what is personal is gone", count)
        return True
