"""`/selling-prices`, `/reprice` and `/price-adjustments`: what callers are asked, and what pricing again has added."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Moment, Page, PageQuery, Query, Shown, moment
from gateway.ledger.reprice import reprice
from gateway.ledger.selling import checked
from gateway.store.price_adjustments import Which, list_adjustments
from gateway.store.selling_prices import (
    NewSellingPrice,
    SellingPrice,
    add_selling_price,
    all_selling_prices,
    end_selling_price,
)

_LONGEST = 200


class NewPrice(Body):
    """What is to be asked."""

    tenant: str | None = Field(default=None, description="Only for this tenant.")
    plan: str | None = Field(default=None, description="Only for tenants with this plan.")
    provider: str = Field(default="*", description="A provider of the price book, or `*`.")
    model: str = Field(default="*", description="A model, as its provider calls it, or `*`.")
    margin_percent: str | None = Field(default=None, description="Added to the cost, as a decimal number.")
    rates: dict[str, Any] | None = Field(
        default=None, description="In credits, as in a price file, with decimal numbers as text."
    )
    valid_from: Moment | None = Field(default=None, strict=False, description="Now when it is not said.")
    valid_until: Moment | None = Field(default=None, strict=False)
    note: str = Field(default="", max_length=_LONGEST)


class End(Body):
    """When it is to end."""

    valid_until: Moment | None = Field(default=None, strict=False, description="Now when it is not said.")


class SellingPriceShown(Shown):
    """A rule for what is asked. A call that was charged by it names its id."""

    id: str
    tenant: str | None
    plan: str | None
    provider: str
    model: str
    margin_percent: str | None
    rates: dict[str, Any] | None
    valid_from: datetime
    valid_until: datetime | None
    note: str
    created_at: datetime
    revision: int


class NewRepricing(Body):
    """Which calls are to be priced again."""

    since: Moment = Field(strict=False, description="Calls received from then on.")
    until: Moment | None = Field(
        default=None, strict=False, description="Until before then; now when it is not said."
    )
    model: str | None = Field(default=None, description="As clients or its provider call it.")
    tenant: str | None = None
    reason: str = Field(min_length=1, max_length=_LONGEST)
    apply: bool = Field(default=False, description="Write the adjustments; otherwise they are only counted.")


class RepricedShown(Shown):
    """What calls of a model are charged more or less."""

    tenant: str
    model: str
    calls: int
    cost_nano: int = Field(description="In 10⁻⁹ of the price book's currency; negative for less.")
    charge_nano: int = Field(description="In 10⁻⁹ credit; negative for less.")


class RepricingShown(Shown):
    """What pricing again has found."""

    looked_at: int
    without_price: int = Field(description="Calls whose price is not known today: they stay as they are.")
    applied: bool
    changes: list[RepricedShown]


class AdjustmentQuery(PageQuery):
    """When they were made."""

    since: Moment | None = Field(default=None, description="From then on.")
    until: Moment | None = Field(default=None, description="Before then.")


class AdjustmentShown(Shown):
    """What was added to the charge of a call, whose own row stays as it is."""

    call: str
    number: int = Field(description="1 for the first of its call.")
    key: str | None
    model: str
    received_at: datetime = Field(description="When the call was received.")
    charge_nano: int = Field(description="In 10⁻⁹ credit; negative for less.")
    reason: str
    created_at: datetime


async def list_(request: AdminRequest[PageQuery, None]) -> Page[SellingPriceShown]:
    """List all rules."""
    rows = await all_selling_prices(request.database)
    last = after(request.query.cursor, tuple[float, int, str])
    left = [row for row in rows if last is None or _key(row) < last]
    found, cursor = page(left, request.query.limit, _key)
    return Page[SellingPriceShown](data=[_shown(row) for row in found], next_cursor=cursor)


async def create(request: AdminRequest[Query, NewPrice]) -> SellingPriceShown:
    """Add a rule."""
    body = request.body
    fields = body.model_dump(exclude={"valid_from", "valid_until"})
    new = NewSellingPrice(
        **fields, valid_from=_seconds(body.valid_from), valid_until=_seconds(body.valid_until)
    )
    return _shown(await add_selling_price(request.database, checked(new), actor=request.actor))


async def end(request: AdminRequest[Query, End]) -> SellingPriceShown:
    """Let a rule end."""
    at = _seconds(request.body.valid_until)
    return _shown(await end_selling_price(request.database, request.path["id"], at=at, actor=request.actor))


async def price_again(request: AdminRequest[Query, NewRepricing]) -> RepricingShown:
    """Price a period again."""
    body = request.body
    which = Which(
        since=body.since.timestamp(),
        until=time.time() if body.until is None else body.until.timestamp(),
        model=body.model,
        tenant=body.tenant,
    )
    found = await reprice(
        request.database,
        request.services.pricing,
        {name: provider.catalogue for name, provider in request.services.providers.items()},
        which,
        reason=body.reason,
        apply=request.actor if body.apply else None,
        books=request.services.books,
    )
    changes = [
        RepricedShown(
            tenant=tenant, model=model, calls=total.calls, cost_nano=total.cost, charge_nano=total.charge
        )
        for (tenant, model), total in sorted(found.by_model.items())
    ]
    return RepricingShown(
        looked_at=found.looked_at, without_price=found.without_price, applied=body.apply, changes=changes
    )


async def adjustments(request: AdminRequest[AdjustmentQuery, None]) -> Page[AdjustmentShown]:
    """List the tenant's adjustments."""
    query = request.query
    rows = await list_adjustments(
        request.database,
        request.tenant,
        since=0.0 if query.since is None else query.since.timestamp(),
        until=float("inf") if query.until is None else query.until.timestamp(),
        after=after(query.cursor, tuple[int, str, int]),
        limit=query.limit + 1,
    )
    found, cursor = page(rows, query.limit, lambda row: (row.revision, row.call, row.number))
    data = [
        AdjustmentShown(
            call=row.call,
            number=row.number,
            key=row.key,
            model=row.model,
            received_at=moment(row.received_at),
            charge_nano=row.charge,
            reason=row.reason,
            created_at=moment(row.created_at),
        )
        for row in found
    ]
    return Page[AdjustmentShown](data=data, next_cursor=cursor)


def _key(row: SellingPrice) -> tuple[float, int, str]:
    return row.valid_from, row.revision, row.id


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _shown(row: SellingPrice) -> SellingPriceShown:
    return SellingPriceShown(
        id=row.id,
        tenant=row.tenant,
        plan=row.plan,
        provider=row.provider,
        model=row.model,
        margin_percent=row.margin_percent,
        rates=None if row.rates is None else dict(row.rates),
        valid_from=moment(row.valid_from),
        valid_until=moment(row.valid_until),
        note=row.note,
        created_at=moment(row.created_at),
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/selling-prices",
        permission="gateway.billing",
        handler=list_,
        summary="List what is asked in place of cost and the usual margin",
        query=PageQuery,
        answer=Page[SellingPriceShown],
    ),
    Endpoint(
        method="POST",
        path="/selling-prices",
        permission="gateway.billing",
        handler=create,
        summary="Ask something else: of a tenant, of a plan, or of everybody",
        body=NewPrice,
        answer=SellingPriceShown,
    ),
    Endpoint(
        method="POST",
        path="/selling-prices/{id}/end",
        permission="gateway.billing",
        handler=end,
        summary="Let a selling price end",
        body=End,
        answer=SellingPriceShown,
        status=200,
    ),
    Endpoint(
        method="POST",
        path="/reprice",
        permission="gateway.billing",
        handler=price_again,
        summary="Price the calls of a period again",
        body=NewRepricing,
        answer=RepricingShown,
        status=200,
    ),
    Endpoint(
        method="GET",
        path="/price-adjustments",
        permission="billing.read",
        handler=adjustments,
        summary="List what pricing again has added to charges of the tenant's calls",
        query=AdjustmentQuery,
        answer=Page[AdjustmentShown],
    ),
)
