"""Knows whose files and batches a provider has, and settles what the batches have used."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final, Literal

import msgspec

from gateway.api.native.remote import Remote
from gateway.batches import usage_of
from gateway.errors import InvalidRequest, ProviderError
from gateway.ledger import Ledger, Pricing
from gateway.store import Database
from gateway.store.jobs import StoredJob, added, get_job, note_settled, note_shown
from gateway.store.keys import get_key
from gateway.types import Call, Capability, Outcome, Principal
from gateway.wire import WIRES

Kind = Literal["file", "batch"]

ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEPT_SECONDS: Final = 10 * 365 * 86_400.0
"""How long it is remembered whose something is; the provider decides how long there is such a thing."""


class NativeKeeper:
    """The files and batches that one provider has for this gateway."""

    def __init__(self, remote: Remote, *, database: Database, ledger: Ledger, pricing: Pricing) -> None:
        self.remote = remote
        self.database = database
        self._ledger = ledger
        self._pricing = pricing

    async def find(self, tenant: str, kind: Kind, id: str) -> StoredJob:
        """Return what is known of a thing. Raises `InvalidRequest` (404) when the tenant has no such one."""
        found = await get_job(self.database, tenant, id) if _ID.fullmatch(id) else None
        if found is None or found.kind != kind or found.provider != self.remote.name:
            told = f"No such File object: {id}" if kind == "file" else f"No batch found with id '{id}'."
            raise InvalidRequest(told, status=404, param="id")
        return found

    async def keep(self, principal: Principal, kind: Kind, fields: dict[str, Any]) -> StoredJob:
        """Remember whose a thing is that the provider has made. Raises `ProviderError` when it has no usable id."""
        upstream_id = fields.get("id")
        if not isinstance(upstream_id, str) or not _ID.fullmatch(upstream_id):
            told = f"The provider '{self.remote.name}' sent a {kind} without a usable id."
            raise ProviderError(told, provider=self.remote.name, code="upstream_malformed")
        now = time.time()
        row = StoredJob(
            tenant=principal.tenant,
            id=upstream_id,
            key=principal.key,
            kind=kind,
            model="",
            provider=self.remote.name,
            upstream_id=upstream_id,
            upstream_model="",
            credential="",
            call="",
            created_at=now,
            expires_at=now + _KEPT_SECONDS,
            shown=msgspec.json.encode(fields),
        )
        await self._ledger.write((added(row),))
        return row

    async def note(self, row: StoredJob, fields: dict[str, Any]) -> bytes:
        """Keep what the provider says now; return it. Once a batch has ended, its files are its tenant's, and it is settled."""
        shown = msgspec.json.encode(fields)
        if shown != row.shown:
            await note_shown(self.database, row, shown)
        if row.kind == "batch" and fields.get("status") in ENDED and not row.call:
            principal = await self._principal(row)
            for name in ("output_file_id", "error_file_id"):
                id = fields.get(name)  # noqa: A001 - OpenAI's word
                if isinstance(id, str):
                    await self.keep(principal, "file", _file(id, fields))
            await self._settle(row, principal, fields)
        return shown

    async def _settle(self, row: StoredJob, principal: Principal, fields: dict[str, Any]) -> None:
        """Write into the ledger what a batch has used, as one call; once, however many processes do it."""
        now = time.time()
        said = fields.get("model")
        model = said if isinstance(said, str) else "unknown"
        digest = hashlib.sha256(f"{row.provider}\0{row.tenant}\0{row.id}".encode()).hexdigest()
        number = f"{int(row.created_at * 1000):012x}{digest[:16]}"
        wire = WIRES.get(_DIALECTS.get(str(fields.get("endpoint")), "openai.chat"))
        capability: Capability = wire.capability if wire else "chat"
        call = Call(
            id=f"call_{number}",
            request_id=f"req_{number}",
            client_request_id=row.id,
            capability=capability,
            dialect=wire.name if wire else "openai.chat",
            model=f"{row.provider}/{model}",
            stream=False,
            shows_usage=True,
            body=b"",
            principal=principal,
            received_at=row.created_at,
        )
        usage = usage_of(fields.get("usage"))
        outcome = Outcome(
            status="success" if usage else "failed",
            provider=row.provider,
            upstream_model=model,
            attempts=1,
            http_status=200,
            ended_at=now,
            usage=usage,
        )
        if usage is None:
            outcome.error_code = "usage_unknown"
            outcome.error_message = (
                f"The batch ended as '{fields.get('status')}', and its provider told no usage."
            )
        self._pricing.apply(outcome, self.remote.catalogue, call.received_at, row.tenant)
        await self._ledger.record(call, outcome)
        await note_settled(self.database, row, call.id)

    async def _principal(self, row: StoredJob) -> Principal:
        key = await get_key(self.database, row.tenant, row.key) if row.key else None
        name = key.name if key else None
        return Principal(tenant=row.tenant, authenticator="", key=row.key, key_name=name)


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
