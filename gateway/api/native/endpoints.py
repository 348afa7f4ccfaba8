"""Files and batches at a provider: requests go on as they came, once it is sure whose things they are about.

https://platform.openai.com/docs/api-reference/files and …/batch
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.files import page_object
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.api.native.content import ContentEndpoint
from gateway.api.native.keeper import Kind, NativeKeeper
from gateway.api.paging import limit_of, newest_first
from gateway.batches.abroad import Order
from gateway.errors import ProviderError
from gateway.identity.keys import check_reach
from gateway.store.jobs import StoredJob, delete_job, list_jobs
from gateway.types import Principal
from gateway.wire.body import read_request
from gateway.wire.multipart import Form, parse

_FILES: Final = (10_000, 10_000)
_BATCHES: Final = (20, 100)
"""How many are listed usually, and at most."""


class _Asked(msgspec.Struct, frozen=True):
    input_file_id: str
    endpoint: str = ""


_decode = msgspec.json.Decoder(_Asked).decode
_decode_shown = msgspec.json.Decoder(dict[str, Any]).decode


class NativeEndpoints:
    """A tenant's own files and batches at one provider. `max_bytes` is the size of a file with the form around it."""

    def __init__(
        self, keeper: NativeKeeper, *, access: Access, lifecycle: Lifecycle, max_bytes: int, max_body: int
    ) -> None:
        self._keeper = keeper
        self._access = access
        self._lifecycle = lifecycle
        self._max_bytes = max_bytes
        self._max_body = max_body

    def routes(self) -> tuple[Route, ...]:
        """List the routes."""
        file, batch = "/v1/files/{id}", "/v1/batches/{id}"
        return (
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files", self.list_files),
            Route(file, self.show_file),
            Route(file, self.delete_file, methods=["DELETE"]),
            Route(f"{file}/content", ContentEndpoint(self._keeper, access=self._access), methods=["GET"]),
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self.list_batches),
            Route(batch, self.show_batch),
            Route(f"{batch}/cancel", self.cancel, methods=["POST"]),
        )

    async def upload(self, request: Request) -> Response:
        """Hand a file on."""
        principal, body = await self._read(request, self._max_bytes)
        kind = request.headers.get("content-type", "")
        form = parse(body, kind)
        if form.text("purpose") == "batch":
            body = self._named(form)
        fields = await self._keeper.remote.ask(principal, "POST", "/files", body=body, content_type=kind)
        return _json((await self._keeper.keep(principal, "file", fields)).shown)

    async def create(self, request: Request) -> Response:
        """Hand a batch on."""
        principal, body = await self._read(request, self._max_body)
        asked = read_request(_decode, body)
        check_reach(principal, asked.endpoint)
        keeper = self._keeper
        file = await keeper.find(principal.tenant, "file", asked.input_file_id)
        order = Order(tenant=principal.tenant, input_file=file.id, created_at=time.time())
        calls = await keeper.open(principal, order, asked.endpoint, file.upstream_id)
        try:
            fields = await keeper.remote.ask(principal, "POST", "/batches", body=body)
            row = await keeper.begin(principal, order, calls, fields, request.scope.get("gateway.begun"))
        except BaseException as error:
            keeper.abroad.give_up(calls, error)
            raise
        return _json(row.shown)

    def _named(self, form: Form) -> bytes:
        """Put the provider's own names of models into the file of a form."""
        found = form.named("file")
        if len(found) != 1:
            return form.body  # which the provider refuses in its own words
        start, end = found[0].start, found[0].end
        content = form.body[start:end]
        named = self._keeper.translated(content)
        return form.body if named == content else form.body[:start] + named + form.body[end:]

    async def show_file(self, request: Request) -> Response:
        """Describe a file."""
        return await self._about(request, "file", "GET", "/files/{}")

    async def show_batch(self, request: Request) -> Response:
        """Describe a batch."""
        return await self._about(request, "batch", "GET", "/batches/{}")

    async def cancel(self, request: Request) -> Response:
        """Cancel a batch."""
        return await self._about(request, "batch", "POST", "/batches/{}/cancel")

    async def delete_file(self, request: Request) -> Response:
        """Delete a file; one that the provider has forgotten is deleted, too."""
        principal, row = await self._find(request, "file")
        try:
            fields = await self._keeper.remote.ask(principal, "DELETE", f"/files/{row.upstream_id}")
        except ProviderError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            fields = {"id": row.id, "object": "file", "deleted": True}
        await delete_job(self._keeper.database, row.tenant, row.id)
        return JSONResponse(fields)

    async def list_files(self, request: Request) -> Response:
        """List files as they were seen last."""
        return await self._list(request, "file", *_FILES)

    async def list_batches(self, request: Request) -> Response:
        """List batches as they were seen last."""
        return await self._list(request, "batch", *_BATCHES)

    async def _list(self, request: Request, kind: Kind, usual: int, most: int) -> Response:
        principal = await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        query, tenant = request.query_params, principal.tenant
        limit, purpose = limit_of(request, usual=usual, most=most), query.get("purpose")
        after = await self._keeper.find(tenant, kind, query["after"]) if query.get("after") else None
        data: list[dict[str, Any]] = []
        while len(data) <= limit:
            rows = await list_jobs(
                self._keeper.database,
                tenant,
                kind,
                after=after,
                limit=limit + 1,
                newest_first=newest_first(request),
            )
            shown = [_decode_shown(row.shown) for row in rows if row.provider == self._keeper.remote.name]
            data += [fields for fields in shown if purpose in {None, fields.get("purpose")}]
            if len(rows) <= limit:
                break
            after = rows[-1]
        return JSONResponse(page_object(data[:limit], has_more=len(data) > limit))

    async def _about(self, request: Request, kind: Kind, method: str, path: str) -> Response:
        principal, row = await self._find(request, kind)
        fields = await self._keeper.remote.ask(principal, method, path.format(row.upstream_id))
        return _json(await self._keeper.note(row, fields))

    async def _find(self, request: Request, kind: Kind) -> tuple[Principal, StoredJob]:
        principal = await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        return principal, await self._keeper.find(principal.tenant, kind, request.path_params["id"])

    async def _read(self, request: Request, most: int) -> tuple[Principal, bytes]:
        self._lifecycle.admit()
        incoming = HttpIncoming(request.scope, request.receive, most)
        principal = await self._access.caller(incoming)
        return principal, await incoming.body()


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
