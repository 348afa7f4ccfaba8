"""Asks after batches that a provider carries out, so that they are settled also when nobody else asks."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from gateway.api.native.keeper import NativeKeeper
from gateway.errors import ProviderError, Unavailable
from gateway.store.jobs import StoredJob, unsettled_jobs
from gateway.types import Principal

log = logging.getLogger("gateway.batches")

EVERY_SECONDS: Final = 30.0
_GONE: Final = 404


class Watcher:
    """Looks at all unsettled batches now and then."""

    def __init__(self, keeper: NativeKeeper) -> None:
        self._keeper = keeper
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="gateway native batches")

    async def stop(self) -> None:
        """End that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def look(self) -> None:
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

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.look()
            except Unavailable:
                continue  # the journal says so, and when it is over
            except Exception:
                log.exception("batches at a provider could not be looked after, trying again")
