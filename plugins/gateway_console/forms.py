"""Small forms, as browsers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import QueryParams

from gateway.errors import InvalidRequest
from gateway.small_body import small_body

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BYTES: Final = 64 * 1024
_TYPE: Final = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> QueryParams:
    """The fields of a form. Raises `InvalidRequest` for anything else (415), and when it is too large (413)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise InvalidRequest(f"Send a form: content-type {_TYPE}.", status=415)
    body = await small_body(request, MAX_BYTES)
    return QueryParams(body.decode("utf-8", "replace"))
