"""Knows whose video jobs there are, and which provider works on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from gateway.errors import InvalidRequest, Unavailable
from gateway.ledger import Ledger
from gateway.protocols import Jobs, Provider
from gateway.store import Database
from gateway.store.jobs import StoredJob, added, delete_expired_jobs, get_job

KIND: Final = "video"
KEPT_SECONDS: Final = 30 * 86_400.0
"""How long a job is remembered; providers keep the films themselves for a few days at most."""
_SWEEP_SECONDS: Final = 3600.0


class VideoKeeper:
    """The video jobs of one gateway."""

    def __init__(self, database: Database, ledger: Ledger, providers: Mapping[str, Provider]) -> None:
        self.database = database
        self._ledger = ledger
        self._providers = providers
        self._sweep_at = 0.0

    async def keep(self, row: StoredJob) -> None:
        """Remember a job; returns when that is durable. Now and then, forget those past their time."""
        await self._ledger.write((added(row),))
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            await delete_expired_jobs(self.database)

    async def find(self, tenant: str, id: str) -> StoredJob:
        """Return a job. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await get_job(self.database, tenant, id)
        if found is None or found.kind != KIND:
            raise InvalidRequest(f"Video with id '{id}' not found.", status=404)
        return found

    def provider(self, job: StoredJob) -> Jobs:
        """Return who works on a job. Raises `Unavailable` when it is not enabled any more."""
        provider = self._providers.get(job.provider)
        if not isinstance(provider, Jobs):
            raise Unavailable(f"The provider of the video '{job.id}' is not enabled any more.")
        return provider
