"""Asks after batches that a provider carries out, so that they are settled also when nobody else asks."""

from __future__ import annotations

import logging
from typing import Final, Protocol

from gateway.api.native.remote import Remote
from gateway.errors import ProviderError
from gateway.rounds import Rounds
from gateway.store import Database
from gateway.store.jobs import StoredJob, unsettled_jobs

log = logging.getLogger("gateway.batches")

EVERY_SECONDS: Final = 30.0


class Watched(Protocol):
    """Who knows whose batches a provider has."""

    remote: Remote
    database: Database
    watched: str
    """The kind of its batches among the jobs."""

    async def look(self, row: StoredJob) -> None:
        """Ask how far a batch is, so that it is settled. Raises `ProviderError`."""
        ...


class Watcher(Rounds):
    """Looks at all unsettled batches now and then."""

    def __init__(self, keeper: Watched) -> None:
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
