"""Ends sessions over WebSockets whose callers may not call any more: they last for so long that much can change."""

from __future__ import annotations

import logging
import time
from typing import Final

from gateway.errors import PermissionDenied
from gateway.identity.standing import as_it_stands
from gateway.identity.tenants import Tenants
from gateway.inflight import InFlight
from gateway.rounds import Rounds
from gateway.store import Database
from gateway.store.changes import Changes
from gateway.store.key_feed import FOLLOWED
from gateway.store.tenants import REVISION as TENANTS
from gateway.types import Call

log = logging.getLogger("gateway.sessions")

PAUSE_SECONDS: Final = 0.4
"""With the time in which changes are seen, a session ends within a second."""


class SessionRights(Rounds):
    """Looks at the keys and tenants of all sessions of one gateway, after each change and when a key expires."""

    def __init__(self, database: Database, tenants: Tenants, inflight: InFlight) -> None:
        super().__init__("gateway session rights", pause=PAUSE_SECONDS, log=log)
        self._database = database
        self._tenants = tenants
        self._inflight = inflight
        self._good: dict[str, tuple[int, float]] = {}
        """By call: after how many changes it was looked at, and until when its key is good."""
        self._changes = 0

    async def startup(self, changes: Changes) -> None:
        """Begin to watch. Raises what the database raises."""
        for name in (*FOLLOWED, TENANTS):
            await changes.watch(name, self._changed)
        self.start()

    async def go_round(self) -> None:
        """Look at those sessions that something may have changed for. Raises `Unavailable`: they go on meanwhile."""
        now, changes = time.time(), self._changes
        running = [one for one in self._inflight.values() if one.call.capability == "realtime"]
        self._good = {one.call.id: good for one in running if (good := self._good.get(one.call.id))}
        for one in running:
            seen, until = self._good.get(one.call.id, (-1, 0.0))
            if seen == changes and now < until:
                continue
            try:
                until = await self._until(one.call)
            except PermissionDenied as refusal:
                self._inflight.abort(one.call.id, refusal)
            else:
                self._good[one.call.id] = changes, until

    async def _until(self, call: Call) -> float:
        principal, until = await as_it_stands(self._database, self._tenants, call.principal)
        name = call.asks_for
        if name is not None and not principal.may_use(name):
            raise PermissionDenied(
                f"This API key may not use the model '{name}' any more.",
                param="model",
                code="model_not_allowed",
            )
        return until

    async def _changed(self, _revision: int) -> None:
        self._changes += 1
