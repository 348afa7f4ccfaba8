"""`/receipts` of the admin API: a tenant's receipts, also those that no answer carried."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sqlalchemy import select

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Page, PageQuery, Query, Shown
from gateway.errors import InvalidRequest
from gateway_receipts.tables import receipts


class ReceiptShown(Shown):
    """A receipt."""

    call: str
    number: int = Field(description="Counts the receipts of the account from 1.")
    receipt: str = Field(description="A compact JWS, as it was given.")


async def list_(request: AdminRequest[PageQuery, None]) -> Page[ReceiptShown]:
    """List the tenant's receipts in their order."""
    limit, start = request.query.limit, after(request.query.cursor, tuple[int])
    query = select(receipts).where(receipts.c.tenant == request.tenant)
    if start is not None:
        query = query.where(receipts.c.number > start[0])
    async with request.database.connect() as connection:
        rows = (await connection.execute(query.order_by(receipts.c.number).limit(limit + 1))).all()
    rows, cursor = page(rows, limit, lambda row: (row.number,))
    return Page[ReceiptShown](data=[_shown(row) for row in rows], next_cursor=cursor)


async def show(request: AdminRequest[Query, None]) -> ReceiptShown:
    """Show the receipt of a call."""
    call = request.path["call"]
    query = select(receipts).where(receipts.c.call == call, receipts.c.tenant == request.tenant)
    async with request.database.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise InvalidRequest(f"There is no receipt for a call {call!r}.", status=404, code="not_found")
    return _shown(row)


def _shown(row: Any) -> ReceiptShown:
    return ReceiptShown(call=row.call, number=row.number, receipt=row.receipt)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/receipts",
        permission="billing.read",
        handler=list_,
        summary="List the tenant's receipts in their order",
        query=PageQuery,
        answer=Page[ReceiptShown],
    ),
    Endpoint(
        method="GET",
        path="/receipts/{call}",
        permission="billing.read",
        handler=show,
        summary="Show the receipt of a call",
        answer=ReceiptShown,
    ),
)
