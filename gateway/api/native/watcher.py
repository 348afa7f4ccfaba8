"""Asks after batches that a provider carries out, so that they are settled also when nobody else asks."""

from __future__ import annotations

import logging
from typing import Final

from gateway.api.native.keeper import NativeKeeper
from gateway.errors import ProviderError
from gateway.rounds import Rounds
from gateway.store.jobs import StoredJob, unsettled_jobs
from gateway.types import Principal

log = logging.getLogger("gateway.batches")

EVERY_SECONDS: Final = 30.0
_GONE: Final = 404


class Watcher(Rounds):
    """Looks at all unsettled batches now and then."""

    def __init__(self, keeper: NativeKeeper) -> None:
        super().__init__("gateway native batches", pause=EVERY_SECONDS, log=log, at_once=False)
        self._keeper = keeper

    async def go_round(self) -> None:
        """Ask after each batch once. Raises `Unavailable`."""
        keeper = self._keeper
        for row in await unsettled_jobs(keeper.database, "batch", keeper.remote.name):
            try:
                await self._look_at(row)
            except ProviderError as error:
                log.warning("%s: the provider does not say how far it is: %s", row.id, error.message)

    async def _look_at(self, row: StoredJob) -> None:
        asking = Principal(tenant=row.tenant, authenticator="", key=row.key)
        try:
            fields = await self._keeper.remote.ask(asking, "GET", f"/batches/{row.upstream_id}")
        except ProviderError as error:
            if error.status != _GONE:
                raise
            # What the provider has forgotten will never tell its usage.
            fields = {"id": row.id, "object": "batch", "status": "expired"}
        await self._keeper.note(row, fields)
