"""Asks after batches that a provider carries out, so that they are settled also when nobody else asks."""

from __future__ import annotations

import logging
from typing import Final

from gateway.api.native.kept import Keeper
from gateway.errors import ProviderError
from gateway.rounds import Rounds
from gateway.store.jobs import unsettled_jobs

log = logging.getLogger("gateway.batches")

EVERY_SECONDS: Final = 30.0


class Watcher(Rounds):
    """Looks at all unsettled batches now and then."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__("gateway native batches", pause=EVERY_SECONDS, log=log, at_once=False)
        self._keeper = keeper

    async def go_round(self) -> None:
        """Ask after each batch once. Raises `Unavailable`."""
        keeper = self._keeper
        for row in await unsettled_jobs(keeper.database, keeper.watched, keeper.remote.name):
            try:
                await keeper.look(row)
            except ProviderError as error:
                log.warning("%s: the provider does not say how far it is: %s", row.id, error.message)
