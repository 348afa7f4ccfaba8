"""Knows whose files, caches and batches a provider has, and sees to it that the calls of the batches are settled."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from gateway.api.google.kinds import BATCH, FILE, ID, Kind
from gateway.api.google.operation import Operation, shown_of
from gateway.api.native.remote import Remote
from gateway.batches.abroad import Abroad, Order
from gateway.batches.google import reads
from gateway.batches.names import NameAt
from gateway.batches.results import Result, ResultReader
from gateway.errors import ProviderError
from gateway.ledger import Ledger, Pricing
from gateway.store import Database
from gateway.store.batch_calls import hand_over
from gateway.store.jobs import StoredJob, added, get_job, note_settled, note_shown
from gateway.store.kept_answers import Begun
from gateway.types import Call, Dialect, Principal
from gateway.wire import WIRES

log = logging.getLogger("gateway.batches")

MOST_BYTES: Final = 2**26
"""Of a batch with its results in it."""
_KEPT_SECONDS: Final = 10 * 365 * 86_400.0
"""How long it is remembered whose something is; the provider decides how long there is such a thing."""
_GONE: Final = 404


class Shown(msgspec.Struct):
    """What is stored of a thing."""

    fields: dict[str, Any]
    """As it was seen last; of a batch without results."""
    dialect: Dialect = ""
    """Of a batch."""


_decode_shown: Final = msgspec.json.Decoder(Shown).decode


class GoogleKeeper:
    """The files, caches and batches that one provider has for this gateway."""

    watched: str = BATCH.name

    def __init__(
        self, remote: Remote, *, database: Database, ledger: Ledger, pricing: Pricing, names: NameAt
    ) -> None:
        """`names` tells the provider's own name of a model."""
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

    async def find(self, tenant: str, kind: Kind, id: str) -> StoredJob:
        """Return what is known of a thing. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await get_job(self.database, tenant, id) if ID.fullmatch(id) else None
        if found is None or found.kind != kind.name or found.provider != self.remote.name:
            raise kind.missing(id)
        return found

    async def keep(self, principal: Principal, kind: Kind, fields: dict[str, Any]) -> StoredJob:
        """Remember whose a thing is that the provider has made. Raises `ProviderError` when it has no usable name."""
        row = self._row(principal.tenant, principal.key, kind, Shown(fields), time.time())
        await self._ledger.write((added(row),))
        return row

    async def begin(
        self,
        principal: Principal,
        order: Order,
        calls: Sequence[Call],
        operation: dict[str, Any],
        *,
        model: str,
        dialect: Dialect,
        begun: Begun | None,
    ) -> None:
        """Remember whose a batch is that the provider has begun, with the calls that its lines are."""
        shown = Shown(shown_of(operation), dialect)
        row = self._row(principal.tenant, principal.key, BATCH, shown, order.created_at, model)
        try:
            await hand_over(self.database, row, [call.id for call in calls], begun)
        except BaseException:
            # Nobody would ever ask after it, or pay for it.
            with contextlib.suppress(ProviderError):
                await self.remote.ask(principal, "POST", f"/{row.upstream_id}:cancel", body=b"{}")
            raise

    async def note(self, row: StoredJob, fields: dict[str, Any]) -> dict[str, Any]:
        """Keep what the provider says now; return it.

        A batch has ended here once its calls are settled: its results are then its tenant's. Until that, it is running.
        """
        if row.kind == BATCH.name and not row.call:
            operation = Operation(fields)
            if operation.ended is not None:
                try:
                    await self._end(row, operation)
                except ProviderError as error:
                    log.warning(
                        "%s: its results cannot be read, and so not settled: %s", row.id, error.message
                    )
                    fields = operation.running()
        shown = Shown(shown_of(fields), shown_in(row).dialect)
        if (encoded := msgspec.json.encode(shown)) != row.shown:
            await note_shown(self.database, row, encoded)
        return fields

    async def look(self, row: StoredJob) -> None:
        """Ask how far a batch is, so that it is settled. Raises `ProviderError`."""
        asking = Principal(tenant=row.tenant, authenticator="", key=row.key)
        try:
            fields = await self.remote.ask(asking, "GET", f"/{row.upstream_id}", most=MOST_BYTES)
        except ProviderError as error:
            if error.status != _GONE:
                raise
            # What the provider has forgotten will never tell its usage.
            fields = {"name": row.upstream_id, "metadata": {"state": "BATCH_STATE_EXPIRED"}}
        await self.note(row, fields)

    async def _end(self, row: StoredJob, operation: Operation) -> None:
        asking = Principal(tenant=row.tenant, authenticator="", key=row.key)
        order = Order(tenant=row.tenant, input_file=BATCH.name, created_at=row.created_at)
        wire = WIRES[shown_in(row).dialect]
        results = self._results(asking, row.upstream_model, operation)
        await self.abroad.close(row, order, wire, operation.ended or "failed", results)
        if operation.file is not None:
            await self.keep(asking, FILE, {"name": operation.file, "source": "GENERATED"})
        await note_settled(self.database, row, row.id)

    async def _results(self, asking: Principal, model: str, operation: Operation) -> AsyncIterator[Result]:
        """Read what a batch has left. A file that is gone has nothing in it."""
        for result in operation.results(model):
            yield result
        if operation.file is None:
            return
        reader = ResultReader(reads(model))
        try:
            path = f"/{operation.file}:download"
            async for piece in self.remote.content(asking, path, query="alt=media"):
                for result in reader.feed(piece):
                    yield result
        except ProviderError as error:
            if error.status != _GONE:
                raise
            log.warning("%s is gone: %s", operation.file, error.message)
        for result in reader.end():
            yield result

    def _row(
        self, tenant: str, key: str | None, kind: Kind, shown: Shown, now: float, model: str = ""
    ) -> StoredJob:
        name = shown.fields.get("name")
        id = kind.id_in(name)  # noqa: A001 - Google's word
        if id is None:
            told = f"The provider '{self.remote.name}' sent something among its {kind.folder} without a usable name."
            raise ProviderError(told, provider=self.remote.name, code="upstream_malformed")
        return StoredJob(
            tenant=tenant,
            id=id,
            key=key,
            kind=kind.name,
            model=model,
            provider=self.remote.name,
            upstream_id=f"{kind.folder}/{id}",
            upstream_model=model,
            credential="",
            call="",
            created_at=now,
            expires_at=now + _KEPT_SECONDS,
            shown=msgspec.json.encode(shown),
        )


def shown_in(row: StoredJob) -> Shown:
    """Read what is stored of a thing."""
    return _decode_shown(row.shown)


def copy_id(file: str) -> str:
    """Return under which id the lines of a file are kept here."""
    return f"google-{hashlib.sha256(file.encode()).hexdigest()[:32]}"
