"""What the endpoints of Google's clients share: who asks, for which thing, for which page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.gemini import take_key
from gateway.api.gemini_models import number_of
from gateway.api.google.keeper import MOST_BYTES, GoogleKeeper, shown_in
from gateway.api.google.kinds import Kind
from gateway.api.incoming import HttpIncoming
from gateway.api.lifecycle import Lifecycle
from gateway.errors import ProviderError
from gateway.store.jobs import StoredJob, delete_job, list_jobs
from gateway.types import Principal

_USUAL: Final = 50
_MOST: Final = 100
"""How many are listed usually, and at most."""


class Asking:
    """Asks the provider about what is the caller's own."""

    def __init__(self, keeper: GoogleKeeper, *, access: Access, lifecycle: Lifecycle, max_body: int) -> None:
        self.keeper = keeper
        self._access = access
        self._lifecycle = lifecycle
        self._max_body = max_body

    async def caller(self, request: Request) -> Principal:
        """Return who asks. Raises what `Access.caller` does."""
        take_key(request.scope)
        return await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))

    async def read(self, request: Request) -> tuple[Principal, bytes]:
        """Return who asks for something new, and the body. Raises as `caller`, and `InvalidRequest`."""
        self._lifecycle.admit()
        take_key(request.scope)
        incoming = HttpIncoming(request.scope, request.receive, self._max_body)
        principal = await self._access.caller(incoming)
        return principal, await incoming.body()

    async def find(self, request: Request, kind: Kind) -> tuple[Principal, StoredJob]:
        """Return who asks, and the thing that the path names. Raises `InvalidRequest` (404) when it is not theirs."""
        principal = await self.caller(request)
        return principal, await self.keeper.find(principal.tenant, kind, request.path_params["id"])

    def path(self, request: Request, name: str) -> str:
        """Return where the provider has something, in the version of its interface that the client speaks."""
        version = request.url.path.removeprefix(request.scope.get("root_path", "")).split("/", 2)[1]
        return self.keeper.remote.paths.below(f"/{version}/{name}")

    async def show(self, request: Request, kind: Kind) -> Response:
        """Describe a thing."""
        principal, row = await self.find(request, kind)
        path = self.path(request, row.upstream_id)
        fields = await self.keeper.remote.ask(principal, "GET", path, most=MOST_BYTES)
        return JSONResponse(await self.keeper.note(row, fields))

    async def delete(self, request: Request, kind: Kind) -> Response:
        """Delete a thing; one that the provider has forgotten is deleted, too."""
        principal, row = await self.find(request, kind)
        try:
            fields = await self.keeper.remote.ask(principal, "DELETE", self.path(request, row.upstream_id))
        except ProviderError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            fields = {}
        await delete_job(self.keeper.database, row.tenant, row.id)
        return JSONResponse(fields)

    async def list(self, request: Request, kind: Kind) -> Response:
        """List things as they were seen last, the newest first."""
        tenant = (await self.caller(request)).tenant
        size = min(number_of(request, "pageSize", _USUAL) or _USUAL, _MOST)
        token = request.query_params.get("pageToken")
        after = await self.keeper.find(tenant, kind, token) if token else None
        rows: list[StoredJob] = []
        while len(rows) <= size:
            found = await list_jobs(
                self.keeper.database, tenant, kind.name, after=after, limit=size + 1, newest_first=True
            )
            rows += [row for row in found if row.provider == self.keeper.remote.name]
            if len(found) <= size:
                break
            after = found[-1]
        page: dict[str, Any] = {kind.listed: [shown_in(row).fields for row in rows[:size]]}
        if len(rows) > size:
            page["nextPageToken"] = rows[size - 1].id
        return JSONResponse(page)
