"""`/calls`: the tenant's calls as the ledger holds them; for those who may see no others, their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from gateway.admin.call_csv import csv_response
from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Moment, Page, PageQuery, Query, Several, Shown
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.store.calls import as_record
from gateway.store.tenant_calls import CallFilter, Own, get_tenant_call, list_tenant_calls
from gateway.types import Status


class Filters(Query):
    """Which calls are meant."""

    since: Moment | None = Field(default=None, description="Those received from then on.")
    until: Moment | None = Field(default=None, description="Those received before.")
    status: Several[Status] = Field(default=(), description="Those in one of these states.")
    model: str | None = Field(
        default=None, max_length=200, description="By the name that the client gave, or the provider's own."
    )
    provider: str | None = Field(default=None, max_length=100)
    capability: str | None = Field(
        default=None, max_length=20, description="As `chat`, `embedding`, `image`."
    )
    key: str | None = Field(default=None, max_length=200, description="Id or name of the API key.")
    user: str | None = Field(default=None, max_length=200)
    search: str | None = Field(
        default=None, min_length=1, max_length=200, description="Part of an id, a name or an error message."
    )


class Listing(Filters, PageQuery):
    """A page of them."""


class CallError(Shown):
    """Why a call failed."""

    code: str | None
    message: str | None


class Call(Shown):
    """A call. Times are RFC 3339 in UTC."""

    id: str
    request_id: str
    client_request_id: str | None
    tenant: str
    user: str | None
    key: str | None
    key_name: str | None
    capability: str
    dialect: str
    model: str = Field(description="As the client wrote it.")
    stream: bool
    provider: str | None
    upstream_model: str | None
    status: Status
    attempts: int
    http_status: int = Field(description="What the client was told; 0 when nothing was sent.")
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_read_tokens: int | None
    cached_write_tokens: int | None
    reasoning_tokens: int | None
    units: dict[str, Any] | None = Field(
        description="What was used beside text: images, seconds, characters, searches of the web and in files, containers."
    )
    estimated: bool = Field(description="Whether the usage is the gateway's estimate.")
    cost: float | None = Field(description="In the price book's currency; null where the price is unknown.")
    cost_nano: int | None = Field(description="The same, exactly, in 10⁻⁹ of it.")
    price_version: str | None
    error: CallError | None
    received_at: datetime
    first_byte_at: datetime | None
    ended_at: datetime | None
    duration_ms: float | None


def whose(request: AdminRequest[Any, Any]) -> Own | None:
    """Whose calls alone the caller may see; None for the whole tenant's. Raises `PermissionDenied`."""
    if request.principal.may("calls.read"):
        return None
    if request.principal.may("calls.own"):
        return Own(user=request.principal.user, key=request.principal.key)
    raise PermissionDenied("To export calls, 'calls.read' or 'calls.own' is needed as well.")


def meant(query: Filters, own: Own | None) -> CallFilter:
    """What the query asks for."""
    return CallFilter(
        own=own,
        since=None if query.since is None else query.since.timestamp(),
        until=None if query.until is None else query.until.timestamp(),
        statuses=query.status,
        model=query.model,
        provider=query.provider,
        capability=query.capability,
        key=query.key,
        user=query.user,
        search=query.search,
    )


async def list_(request: AdminRequest[Listing, None]) -> Page[Call]:
    """List calls."""
    query = request.query
    start = after(query.cursor, tuple[str])
    rows = await list_tenant_calls(
        request.database,
        request.tenant,
        meant(query, whose(request)),
        limit=query.limit + 1,
        before=start[0] if start else None,
    )
    shown, cursor = page(rows, query.limit, lambda row: (row.id,))
    return Page[Call](data=[Call.model_validate(as_record(row)) for row in shown], next_cursor=cursor)


async def show(request: AdminRequest[Query, None]) -> Call:
    """Show one call."""
    id = request.path["id"]  # noqa: A001 - the word of the path
    row = await get_tenant_call(request.database, request.tenant, id, own=whose(request))
    if row is None:
        raise InvalidRequest(f"There is no call {id!r}.", status=404, code="not_found")
    return Call.model_validate(as_record(row))


class Export(Filters):
    """What is exported, and how."""

    format: Literal["csv"] = "csv"


async def export(request: AdminRequest[Export, None]) -> Response:
    """Export calls."""
    return await csv_response(request.database, request.tenant, meant(request.query, whose(request)))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/calls",
        permission=("calls.read", "calls.own"),
        handler=list_,
        summary="List calls, the newest first",
        query=Listing,
        answer=Page[Call],
    ),
    Endpoint(
        method="GET",
        path="/calls/export",
        permission="calls.export",
        handler=export,
        summary="Export calls as CSV, the newest first",
        query=Export,
        media="text/csv",
    ),
    Endpoint(
        method="GET",
        path="/calls/{id}",
        permission=("calls.read", "calls.own"),
        handler=show,
        summary="Show a call",
        answer=Call,
    ),
)
