"""Knows whose files and batches a provider has, and sees to it that the calls of the batches are settled."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from gateway.api.native.kept import Keeper, asking_for
from gateway.api.native.names import OpenAINames, missing
from gateway.api.native.remote import Remote
from gateway.batches.abroad import Order, Wanted, lines_of, place
from gateway.batches.input import InputReader
from gateway.batches.names import NameAt, with_names
from gateway.batches.results import Result, ResultReader, openai_result
from gateway.errors import InvalidRequest, ProviderError
from gateway.ledger import Ledger, Pricing
from gateway.store import Database
from gateway.store.batch_runs import Line
from gateway.store.jobs import StoredJob, note_settled, note_shown
from gateway.store.kept_answers import Begun
from gateway.store.keys import get_key
from gateway.types import Call, Principal
from gateway.wire import WIRES, Wire

log = logging.getLogger("gateway.batches")

Kind = Literal["file", "batch"]

ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FILES: Final = ("output_file_id", "error_file_id")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class NativeKeeper(Keeper):
    """The files and batches that one provider has for this gateway."""

    watched = "batch"

    def __init__(
        self,
        remote: Remote,
        *,
        database: Database,
        ledger: Ledger,
        pricing: Pricing,
        names: NameAt,
        max_line: int,
    ) -> None:
        """`max_line` is the most bytes of a request in a batch."""
        super().__init__(remote, database=database, ledger=ledger, pricing=pricing, names=names)
        self._kept = OpenAINames(database, remote.name)
        self._max_line = max_line

    async def find(self, tenant: str, kind: Kind, id: str) -> StoredJob:
        """Return what is known of a thing. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await self._known(tenant, kind, id) if _ID.fullmatch(id) else None
        if found is None:
            raise missing(kind, id)
        return found

    async def keep(self, principal: Principal, kind: Kind, fields: dict[str, Any]) -> StoredJob:
        """Remember whose a thing is that the provider has made. Raises `ProviderError` when it has no usable id."""
        return await self._keep(self._described(principal, kind, fields, time.time()))

    async def open(self, principal: Principal, order: Order, endpoint: str, file: str) -> list[Call]:
        """Open a call for each line of a file. Raises what `Abroad.open` does."""
        wire = _wire(endpoint)
        reader = InputReader(endpoint, max_line=self._max_line)
        lines = lines_of(reader, self.remote.content(principal, f"/files/{file}/content"))
        return await self.abroad.open(principal, order, wire, self._wanted(principal.tenant, wire, lines))

    def translated(self, content: bytes) -> bytes:
        """Return an input file with the provider's own names of models; the same where it has these. Raises `ModelNotFound`."""
        return with_names(content, self._own_name)

    async def _wanted(
        self, tenant: str, wire: Wire, lines: AsyncIterator[list[Line]]
    ) -> AsyncIterator[list[Wanted]]:
        async for some in lines:
            wanted = [self._line(wire, line) for line in some]
            await self._kept.check_lines(tenant, wanted)
            yield wanted

    def _line(self, wire: Wire, line: Line) -> Wanted:
        where = place(line)
        try:
            model = wire.read(line.request).model
            own = self._own_name(model)
        except InvalidRequest as error:
            error.message = f"{where}: {error.message}"
            raise
        if own != model:  # it was uploaded before there was such a name
            raise InvalidRequest(
                f"{where}: the provider '{self.remote.name}' does not know the model '{model}', which it calls '{own}'. "
                "Upload the file again, or name it so.",
                param="input_file_id",
                code="model_not_found",
            )
        return Wanted(custom_id=line.custom_id, model=model, request=line.request, where=where)

    def _own_name(self, model: str) -> str:
        return self.names(self.remote.name, model)

    def _described(self, principal: Principal, kind: Kind, fields: dict[str, Any], now: float) -> StoredJob:
        id = fields.get("id")  # noqa: A001 - OpenAI's word
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise self._unnamed(f"a {kind} without a usable id")
        shown = msgspec.json.encode(fields)
        return self._row(principal, kind=kind, id=id, upstream_id=id, model="", now=now, shown=shown)

    async def begin(
        self,
        principal: Principal,
        order: Order,
        calls: Sequence[Call],
        fields: dict[str, Any],
        begun: Begun | None = None,
    ) -> StoredJob:
        """Remember whose a batch is that the provider has begun, with the calls that its lines are."""
        fields = {"input_file_id": order.input_file, **fields}
        row = self._described(principal, "batch", fields, order.created_at)
        cancel = f"/batches/{row.upstream_id}/cancel"
        await self._hand_over(principal, row, calls, begun, cancel=cancel, body=b"")
        return row

    async def note(self, row: StoredJob, fields: dict[str, Any]) -> bytes:
        """Keep what the provider says now; return it.

        A batch has ended here once its calls are settled: its files are then its tenant's. Until that, it is `finalizing`.
        """
        if row.kind == "batch" and fields.get("status") in ENDED and not row.call:
            try:
                await self._end(row, fields)
            except ProviderError as error:
                log.warning("%s: its results cannot be read, and so not settled: %s", row.id, error.message)
                fields = {**fields, "status": "finalizing", f"{fields['status']}_at": None}
        shown = msgspec.json.encode(fields)
        if shown != row.shown:
            await note_shown(self.database, row, shown)
        return shown

    async def look(self, row: StoredJob) -> None:
        """Ask how far a batch is, so that it is settled. Raises `ProviderError`."""
        fields = await self._state(row, f"/batches/{row.upstream_id}")
        if fields is None:
            fields = {"id": row.id, "object": "batch", "status": "expired"}
        await self.note(row, fields)

    async def _end(self, row: StoredJob, fields: dict[str, Any]) -> None:
        wire = _wire(str(_decode(row.shown).get("endpoint")))
        results = self._results(row, fields)
        await self.abroad.close(row, Order.of(row), wire, fields["status"], results)
        principal = await self._principal(row)
        for name in _FILES:
            id = fields.get(name)  # noqa: A001 - OpenAI's word
            if isinstance(id, str):
                await self.keep(principal, "file", _file(id, fields))
        await note_settled(self.database, row, row.id)

    async def _results(self, row: StoredJob, fields: dict[str, Any]) -> AsyncIterator[Result]:
        """Read the files that a batch has left."""
        principal = await self._principal(row)
        for name in _FILES:
            id = fields.get(name)  # noqa: A001 - OpenAI's word
            if isinstance(id, str) and _ID.fullmatch(id):
                path, reader = f"/files/{id}/content", ResultReader(openai_result)
                async for result in self._left(principal, path, reader, of=f"{row.id}: its file {id}"):
                    yield result

    async def _principal(self, row: StoredJob) -> Principal:
        key = await get_key(self.database, row.tenant, row.key) if row.key else None
        return replace(asking_for(row), key_name=key.name if key else None)


_DIALECTS: Final = {
    "/v1/chat/completions": "openai.chat",
    "/v1/completions": "openai.completions",
    "/v1/embeddings": "openai.embeddings",
    "/v1/images/edits": "openai.image_edits",
    "/v1/images/generations": "openai.images",
    "/v1/moderations": "openai.moderations",
    "/v1/responses": "openai.responses",
    "/v1/videos": "openai.videos",
}
"""The dialects of the endpoints that OpenAI's batches may be for."""


def _wire(endpoint: str) -> Wire:
    dialect = _DIALECTS.get(endpoint)
    if dialect is None:
        known = ", ".join(sorted(_DIALECTS))
        raise InvalidRequest(f"Invalid value for 'endpoint': expected one of {known}.", param="endpoint")
    return WIRES[dialect]


def _file(id: str, batch: dict[str, Any]) -> dict[str, Any]:
    """Describe a file of a batch as far as that is known before it is asked for."""
    ended = [batch.get(f"{status}_at") for status in ENDED]
    return {
        "id": id,
        "object": "file",
        "bytes": 0,
        "created_at": next((at for at in ended if at), int(time.time())),
        "filename": f"{batch.get('id')}.jsonl",
        "purpose": "batch_output",
        "status": "processed",
    }
