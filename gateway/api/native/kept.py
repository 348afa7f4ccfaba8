"""What all who keep files and batches at a provider share: whose a thing is, and how its batches are looked after."""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from gateway.api.native.remote import MAX_OBJECT_BYTES, Remote
from gateway.batches.abroad import Abroad
from gateway.batches.names import NameAt
from gateway.batches.results import Result, ResultReader
from gateway.errors import ProviderError
from gateway.ledger import Ledger, Pricing
from gateway.store import Database
from gateway.store.batch_calls import hand_over
from gateway.store.jobs import StoredJob, added, get_job
from gateway.store.kept_answers import Begun
from gateway.types import Call, Principal

log = logging.getLogger("gateway.batches")

_KEPT_SECONDS: Final = 10 * 365 * 86_400.0
"""How long it is remembered whose something is; the provider decides how long there is such a thing."""


class Keeper(ABC):
    """The things that one provider has for this gateway. `names` tells the provider's own name of a model."""

    watched: str
    """The kind of its batches among the jobs."""

    def __init__(
        self, remote: Remote, *, database: Database, ledger: Ledger, pricing: Pricing, names: NameAt
    ) -> None:
        self.remote = remote
        self.database = database
        self.names = names
        self.abroad = Abroad(
            database=database,
            ledger=ledger,
            pricing=pricing,
            provider=remote.name,
            catalogue=remote.catalogue,
        )
        self._ledger = ledger

    @abstractmethod
    async def look(self, row: StoredJob) -> None:
        """Ask how far a batch is, so that it is settled. Raises `ProviderError`."""

    async def _known(self, tenant: str, kind: str, id: str) -> StoredJob | None:
        found = await get_job(self.database, tenant, id)
        known = found is not None and found.kind == kind and found.provider == self.remote.name
        return found if known else None

    async def _keep(self, row: StoredJob) -> StoredJob:
        await self._ledger.write((added(row),))
        return row

    def _row(
        self, asking: Principal, *, kind: str, id: str, upstream_id: str, model: str, now: float, shown: bytes
    ) -> StoredJob:
        return StoredJob(
            tenant=asking.tenant,
            id=id,
            key=asking.key,
            kind=kind,
            model=model,
            provider=self.remote.name,
            upstream_id=upstream_id,
            upstream_model=model,
            credential="",
            call="",
            created_at=now,
            expires_at=now + _KEPT_SECONDS,
            shown=shown,
        )

    def _unnamed(self, told: str) -> ProviderError:
        """Make the error for a thing that nobody could ask after."""
        message = f"The provider '{self.remote.name}' sent {told}."
        return ProviderError(message, provider=self.remote.name, code="upstream_malformed")

    async def _hand_over(
        self,
        asking: Principal,
        row: StoredJob,
        calls: Sequence[Call],
        begun: Begun | None,
        *,
        cancel: str,
        body: bytes,
    ) -> None:
        """Remember a batch with the calls that its lines are; where that cannot be, cancel it at this path."""
        try:
            await hand_over(self.database, row, [call.id for call in calls], begun)
        except BaseException:
            # Nobody would ever ask after it, or pay for it.
            with contextlib.suppress(ProviderError):
                await self.remote.ask(asking, "POST", cancel, body=body)
            raise

    async def _state(
        self, row: StoredJob, path: str, *, most: int = MAX_OBJECT_BYTES
    ) -> dict[str, Any] | None:
        """Ask how far a batch is; None when the provider has forgotten it, and so will never tell its usage."""
        try:
            return await self.remote.ask(asking_for(row), "GET", path, most=most)
        except ProviderError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    async def _left(
        self, asking: Principal, path: str, reader: ResultReader, *, of: str, query: str = ""
    ) -> AsyncIterator[Result]:
        """Read a file that a batch has left; `of` names it in the log. One that is gone has nothing in it."""
        try:
            async for piece in self.remote.content(asking, path, query=query):
                for result in reader.feed(piece):
                    yield result
        except ProviderError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            log.warning("%s is gone: %s", of, error.message)
        for result in reader.end():
            yield result


def asking_for(row: StoredJob) -> Principal:
    """Return in whose name is asked after a thing when nobody asks."""
    return Principal(tenant=row.tenant, authenticator="", key=row.key)
