"""GET /v1/responses/{id}/input_items. https://platform.openai.com/docs/api-reference/responses/input-items."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.paging import limit_of, newest_first
from gateway.api.responses.items import listed
from gateway.api.responses.keeper import Keeper
from gateway.errors import InvalidRequest

_USUAL: Final = 20
_MOST: Final = 100

Items: TypeAlias = list[dict[str, Any]]


class InputItemsEndpoint:
    """Lists what a response was made from, page by page."""

    def __init__(self, *, access: Access, keeper: Keeper) -> None:
        self._access = access
        self._keeper = keeper

    async def list(self, request: Request) -> Response:
        """List a page: the latest items first, unless `order` is `asc`."""
        principal = await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        wanted = request.path_params["id"]
        limit, after = limit_of(request, usual=_USUAL, most=_MOST), request.query_params.get("after")
        reverse = newest_first(request)
        row = await self._keeper.get(principal.tenant, wanted)
        before = await self._keeper.chain(row.tenant, row.previous) if row.previous else ()
        items = listed((*before, row))
        if reverse:
            items.reverse()
        page = _after(items, after)
        return JSONResponse(
            {
                "object": "list",
                "data": page[:limit],
                "first_id": page[0]["id"] if page else "",
                "last_id": page[:limit][-1]["id"] if page else "",
                "has_more": len(page) > limit,
            }
        )


def _after(items: Items, after: str | None) -> Items:
    if after is None:
        return items
    for place, item in enumerate(items):
        if item.get("id") == after:
            return items[place + 1 :]
    raise InvalidRequest(f"There is no item with the id '{after}'.", param="after")
