"""GET and DELETE /v1/responses/{id}, and POST /v1/responses/{id}/cancel."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.responses.background import Runs
from gateway.api.responses.follow import Follower
from gateway.api.responses.keeper import Keeper
from gateway.api.responses.shown import shown
from gateway.errors import InvalidRequest
from gateway.store.responses import StoredResponse, cancel_response, delete_response

_TRUE: Final = frozenset({"true", "True", "1"})


class StoredEndpoints:
    """Shows, deletes and cancels a tenant's own responses."""

    def __init__(self, *, access: Access, keeper: Keeper, runs: Runs, follower: Follower) -> None:
        self._access = access
        self._keeper = keeper
        self._runs = runs
        self._follower = follower

    async def show(self, request: Request) -> Response:
        """Show a response, or stream the events of one in the background."""
        row = await self._find(request)
        if request.query_params.get("stream") not in _TRUE:
            return Response(shown(row), media_type="application/json")
        if not (row.background and row.stream):
            raise InvalidRequest(
                "Only a response that was created with background=true and stream=true can be streamed.",
                param="stream",
            )
        return self._follower.response(row, starting_after=_number(request, "starting_after", -1))

    async def delete(self, request: Request) -> Response:
        """Delete a response; one that still runs is stopped."""
        row = await self._find(request)
        await delete_response(self._keeper.database, row.tenant, row.id)
        self._runs.cancel(row.call)
        return JSONResponse({"id": row.id, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """Cancel a response in the background; one that has ended is shown as it is."""
        row = await self._find(request)
        if not row.background:
            raise InvalidRequest("Only a response that was created with background=true can be cancelled.")
        if await cancel_response(self._keeper.database, row.tenant, row.id):
            self._runs.cancel(row.call)
        return Response(shown(await self._keeper.get(row.tenant, row.id)), media_type="application/json")

    async def _find(self, request: Request) -> StoredResponse:
        principal = await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        return await self._keeper.get(principal.tenant, request.path_params["id"])


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 16):  # noqa: PLR2004 - more than any stream has
        raise InvalidRequest(f"Invalid value for '{name}': expected a whole number.", param=name)
    return int(text)
