"""Knows whose files, caches and batches a provider has, and sees to it that the calls of the batches are settled."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from gateway.api.google.kinds import BATCH, FILE, ID, Kind
from gateway.api.google.names import GoogleNames
from gateway.api.google.operation import Operation, shown_of
from gateway.api.native.kept import Keeper, asking_for
from gateway.api.native.remote import Remote
from gateway.batches.abroad import Order
from gateway.batches.google import reads
from gateway.batches.names import NameAt
from gateway.batches.results import Result, ResultReader
from gateway.errors import ProviderError
from gateway.ledger import Ledger, Pricing
from gateway.store import Database
from gateway.store.jobs import StoredJob, note_settled, note_shown
from gateway.store.kept_answers import Begun
from gateway.types import Call, Dialect, Principal
from gateway.wire import WIRES

log = logging.getLogger("gateway.batches")

MOST_BYTES: Final = 2**26
"""Of a batch with its results in it."""


class Shown(msgspec.Struct):
    """What is stored of a thing."""

    fields: dict[str, Any]
    """As it was seen last; of a batch without results."""
    dialect: Dialect = ""
    """Of a batch."""
    tokens: dict[str, int] = {}
    """Of a batch of embeddings that is not settled: how many each request is estimated to have."""


_decode_shown: Final = msgspec.json.Decoder(Shown).decode


class GoogleKeeper(Keeper):
    """The files, caches and batches that one provider has for this gateway."""

    watched = BATCH.name

    def __init__(
        self, remote: Remote, *, database: Database, ledger: Ledger, pricing: Pricing, names: NameAt
    ) -> None:
        """See `Keeper`."""
        super().__init__(remote, database=database, ledger=ledger, pricing=pricing, names=names)
        self.kept = GoogleNames(database, remote.name)

    async def find(self, tenant: str, kind: Kind, id: str) -> StoredJob:
        """Return what is known of a thing. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await self._known(tenant, kind.name, id) if ID.fullmatch(id) else None
        if found is None:
            raise kind.missing(id)
        return found

    async def keep(self, principal: Principal, kind: Kind, fields: dict[str, Any]) -> StoredJob:
        """Remember whose a thing is that the provider has made. Raises `ProviderError` when it has no usable name."""
        return await self._keep(self._described(principal, kind, Shown(fields), time.time()))

    async def begin(
        self,
        principal: Principal,
        order: Order,
        calls: Sequence[Call],
        operation: dict[str, Any],
        *,
        model: str,
        dialect: Dialect,
        tokens: dict[str, int],
        begun: Begun | None,
    ) -> None:
        """Remember whose a batch is that the provider has begun, with the calls that its lines are."""
        shown = Shown(shown_of(operation), dialect, tokens)
        row = self._described(principal, BATCH, shown, order.created_at, model)
        cancel = f"/{row.upstream_id}:cancel"
        await self._hand_over(principal, row, calls, begun, cancel=cancel, body=b"{}")

    async def note(self, row: StoredJob, fields: dict[str, Any]) -> dict[str, Any]:
        """Keep what the provider says now; return it.

        A batch has ended here once its calls are settled: its results are then its tenant's. Until that, it is running.
        """
        is_settled = bool(row.call)
        if row.kind == BATCH.name and not is_settled:
            operation = Operation(fields)
            if operation.ended is not None:
                try:
                    await self._end(row, operation)
                except ProviderError as error:
                    log.warning(
                        "%s: its results cannot be read, and so not settled: %s", row.id, error.message
                    )
                    fields = operation.running()
                else:
                    is_settled = True
        before = shown_in(row)
        shown = Shown(shown_of(fields), before.dialect, {} if is_settled else before.tokens)
        if (encoded := msgspec.json.encode(shown)) != row.shown:
            await note_shown(self.database, row, encoded)
        return fields

    async def look(self, row: StoredJob) -> None:
        """Ask how far a batch is, so that it is settled. Raises `ProviderError`."""
        fields = await self._state(row, f"/{row.upstream_id}", most=MOST_BYTES)
        if fields is None:
            fields = {"name": row.upstream_id, "metadata": {"state": "BATCH_STATE_EXPIRED"}}
        await self.note(row, fields)

    async def _end(self, row: StoredJob, operation: Operation) -> None:
        asking = asking_for(row)
        order = Order(tenant=row.tenant, input_file=BATCH.name, created_at=row.created_at)
        shown = shown_in(row)
        wire = WIRES[shown.dialect]
        results = self._results(asking, row.upstream_model, operation)
        ended = operation.ended or "failed"
        await self.abroad.close(row, order, wire, ended, results, prompts=shown.tokens)
        if operation.file is not None:
            await self.keep(asking, FILE, {"name": operation.file, "source": "GENERATED"})
        await note_settled(self.database, row, row.id)

    async def _results(self, asking: Principal, model: str, operation: Operation) -> AsyncIterator[Result]:
        """Read what a batch has left."""
        for result in operation.results(model):
            yield result
        if (file := operation.file) is not None:
            path, reader = f"/{file}:download", ResultReader(reads(model))
            async for result in self._left(asking, path, reader, of=file, query="alt=media"):
                yield result

    def _described(
        self, asking: Principal, kind: Kind, shown: Shown, now: float, model: str = ""
    ) -> StoredJob:
        name = shown.fields.get("name")
        id = kind.id_in(name)  # noqa: A001 - Google's word
        if id is None:
            raise self._unnamed(f"something among its {kind.folder} without a usable name")
        return self._row(
            asking,
            kind=kind.name,
            id=id,
            upstream_id=f"{kind.folder}/{id}",
            model=model,
            now=now,
            shown=msgspec.json.encode(shown),
        )


def shown_in(row: StoredJob) -> Shown:
    """Read what is stored of a thing."""
    return _decode_shown(row.shown)


def copy_id(file: str) -> str:
    """Return under which id the lines of a file are kept here."""
    return f"google-{hashlib.sha256(file.encode()).hexdigest()[:32]}"
