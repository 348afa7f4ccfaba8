"""Batches: made, listed, shown and cancelled. https://platform.openai.com/docs/api-reference/batch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.files import checked_seconds, page_object
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.api.paging import limit_of
from gateway.batches import Runner
from gateway.errors import InvalidRequest
from gateway.identity.keys import check_reach
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.batches import StoredBatch, add_batch, cancel_batch, get_batch, list_batches
from gateway.store.files import get_file
from gateway.types import Principal
from gateway.wire import WIRES, Wire
from gateway.wire.body import read_request

WINDOW: Final = "24h"
"""The only completion window that OpenAI's API knows, and within which batches here expire as well."""

_WINDOW_SECONDS: Final = 86_400.0
_USUAL: Final = 20
_MOST: Final = 100
_PAIRS, _KEY, _VALUE = 16, 64, 512
_WITHOUT_JSON: Final = frozenset(
    {"openai.speech", "openai.transcriptions", "openai.translations", "openai.image_variations"}
)
"""Dialects with requests or answers that a line of JSON cannot hold."""


class _Keep(Struct, frozen=True):
    anchor: str
    seconds: int


class _Asked(Struct, frozen=True):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: _Keep | None = None


_decode = msgspec.json.Decoder(_Asked).decode


def batch_dialects(calls: Mapping[str, str]) -> Mapping[str, Wire]:
    """Of the paths that make calls, and the dialects they speak, choose those that a batch may be for."""
    return {path: WIRES[dialect] for path, dialect in calls.items() if dialect not in _WITHOUT_JSON}


class BatchEndpoints:
    """A tenant's own batches."""

    def __init__(
        self,
        *,
        access: Access,
        database: Database,
        ledger: Ledger,
        lifecycle: Lifecycle,
        runner: Runner,
        endpoints: Mapping[str, Wire],
        max_body: int,
    ) -> None:
        self._access = access
        self._database = database
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._runner = runner
        self._endpoints = endpoints
        self._max_body = max_body

    def routes(self) -> tuple[Route, ...]:
        """List the routes."""
        return (
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self.list),
            Route("/v1/batches/{id}", self.show),
            Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
        )

    async def create(self, request: Request) -> Response:
        """Take on a batch; it begins at once."""
        self._lifecycle.admit()
        incoming = HttpIncoming(request.scope, request.receive, self._max_body)
        principal = await self._access.caller(incoming)
        asked = read_request(_decode, await incoming.body())
        self._check(asked)
        check_reach(principal, asked.endpoint)
        await self._check_file(principal, asked.input_file_id)
        keep = asked.output_expires_after
        now = time.time()
        row = StoredBatch(
            tenant=principal.tenant,
            id=f"batch_{os.urandom(16).hex()}",
            principal=msgspec.json.encode(principal),
            endpoint=asked.endpoint,
            input_file=asked.input_file_id,
            metadata=None if asked.metadata is None else msgspec.json.encode(asked.metadata),
            output_seconds=checked_seconds(keep.anchor, keep.seconds, "output_expires_after")
            if keep
            else None,
            worker=self._ledger.worker,
            created_at=now,
            expires_at=now + _WINDOW_SECONDS,
        )
        await add_batch(self._database, row, request.scope.get("gateway.begun"))
        self._runner.take(row)
        return JSONResponse(batch_object(row))

    async def list(self, request: Request) -> Response:
        """List batches, the newest first."""
        principal = await self._principal(request)
        limit = limit_of(request, usual=_USUAL, most=_MOST)
        after = request.query_params.get("after")
        page = await list_batches(
            self._database,
            principal.tenant,
            after=await self._get(principal, after, "after") if after else None,
            limit=limit + 1,
        )
        data = [batch_object(row) for row in page[:limit]]
        return JSONResponse(page_object(data, has_more=len(page) > limit))

    async def show(self, request: Request) -> Response:
        """Describe a batch."""
        return JSONResponse(batch_object(await self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """Begin no more of a batch's calls; those that run come to their end first."""
        row = await self._find(request)
        if not await cancel_batch(self._database, row.tenant, row.id):
            now = await self._get_again(row)
            raise InvalidRequest(f"A batch with the status '{now.status}' cannot be cancelled.")
        self._runner.look(row)
        return JSONResponse(batch_object(await self._get_again(row)))

    def _check(self, asked: _Asked) -> None:
        if asked.endpoint not in self._endpoints:
            known = ", ".join(sorted(self._endpoints))
            raise InvalidRequest(f"Invalid value for 'endpoint': expected one of {known}.", param="endpoint")
        if asked.completion_window != WINDOW:
            raise InvalidRequest(
                f"Invalid value for 'completion_window': expected '{WINDOW}'.", param="completion_window"
            )
        metadata = asked.metadata or {}
        if len(metadata) > _PAIRS or any(len(k) > _KEY or len(v) > _VALUE for k, v in metadata.items()):
            raise InvalidRequest(
                f"Invalid value for 'metadata': expected at most {_PAIRS} pairs, with keys of at most {_KEY} and values "
                f"of at most {_VALUE} characters.",
                param="metadata",
            )

    async def _check_file(self, principal: Principal, id: str) -> None:
        file = await get_file(self._database, principal.tenant, id) if "\0" not in id else None
        if file is None:
            raise InvalidRequest(f"No such File object: {id}", param="input_file_id")
        if file.purpose != "batch":
            raise InvalidRequest(
                f"The file was uploaded for '{file.purpose}'. Upload it with the purpose 'batch'.",
                param="input_file_id",
            )

    async def _find(self, request: Request) -> StoredBatch:
        return await self._get(await self._principal(request), request.path_params["id"], "id")

    async def _get(self, principal: Principal, id: str, param: str) -> StoredBatch:
        row = await get_batch(self._database, principal.tenant, id) if "\0" not in id else None
        if row is None:
            raise InvalidRequest(f"No batch found with id '{id}'.", status=404, param=param)
        return row

    async def _get_again(self, row: StoredBatch) -> StoredBatch:
        return await get_batch(self._database, row.tenant, row.id) or row

    def _principal(self, request: Request) -> Any:
        return self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))


def batch_object(row: StoredBatch) -> dict[str, Any]:
    """Describe a batch as OpenAI does."""
    errors = None if row.errors is None else {"object": "list", "data": msgspec.json.decode(row.errors)}
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "model": row.model,
        "errors": errors,
        "input_file_id": row.input_file,
        "completion_window": WINDOW,
        "status": row.status,
        "output_file_id": row.output_file,
        "error_file_id": row.error_file,
        "created_at": int(row.created_at),
        "in_progress_at": _whole(row.in_progress_at),
        "expires_at": int(row.expires_at),
        "finalizing_at": _whole(row.finalizing_at),
        "cancelling_at": _whole(row.cancelling_at),
        **{
            f"{status}_at": _whole(row.ended_at) if row.status == status else None
            for status in ("completed", "failed", "expired", "cancelled")
        },
        "request_counts": {"total": row.total, "completed": row.completed, "failed": row.failed},
        "metadata": None if row.metadata is None else msgspec.json.decode(row.metadata),
        "usage": None if row.usage is None else msgspec.json.decode(row.usage),
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
