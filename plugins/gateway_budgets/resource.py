"""`/budgets` of the admin API: what may be spent, and how that stands."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import page_of
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway_budgets.amount import nano_of, shown
from gateway_budgets.book import entry_of
from gateway_budgets.period import Span
from gateway_budgets.rows import (
    Budget,
    Kind,
    NewBudget,
    Scope,
    change_budget,
    create_budget,
    delete_budget,
    get_budget,
    list_budgets,
)
from gateway_budgets.standing import Standing, standings


def _is_amount(text: str) -> str:
    try:
        Decimal(text)
    except InvalidOperation:
        raise ValueError("an amount is a decimal number in quotes") from None
    return text


Amount = Annotated[
    str,
    Field(max_length=40, description="Credits for each period, as a decimal number in quotes."),
    AfterValidator(_is_amount),
]


class BudgetBody(Body):
    """A budget to be."""

    scope: Scope
    subject: str = Field(
        default="",
        max_length=200,
        description="The id of the key, user or team, a model's name or `prefix*`; empty for the tenant.",
    )
    amount: Amount
    period: Span = "month"
    time_zone: str = Field(
        default="UTC", max_length=60, description="In which periods begin, as `Asia/Tokyo`."
    )
    kind: Kind = Field(default="hard", description="A hard budget refuses calls, a soft one only tells.")


class BudgetChange(Body):
    """What is to be changed."""

    amount: Amount | None = None
    kind: Kind | None = None


class BudgetShown(Shown):
    """A budget and how it stands. Amounts are credits, as decimal numbers."""

    id: str
    scope: str
    subject: str
    amount: str
    period: str
    time_zone: str
    kind: str
    period_start: datetime | None = Field(description="Null when the period is `total`, as for its end.")
    period_end: datetime | None
    spent: str
    reserved: str = Field(description="For calls under way.")
    left: str
    alerts: list[int] = Field(description="Thresholds in per cent that this period has reached.")
    created_at: datetime
    updated_at: datetime
    revision: int


async def list_(request: AdminRequest[PageQuery, None]) -> Page[BudgetShown]:
    """List the budgets."""
    rows, cursor = await page_of(request, list_budgets, lambda row: row.id)
    found = await standings(request.database, [entry_of(row) for row in rows], time.time())
    data = [_shown(row, standing) for row, standing in zip(rows, found, strict=True)]
    return Page[BudgetShown](data=data, next_cursor=cursor)


async def create(request: AdminRequest[Query, BudgetBody]) -> BudgetShown:
    """Set one."""
    body = request.body
    new = NewBudget(
        tenant=request.tenant,
        scope=body.scope,
        subject=body.subject,
        period=body.period,
        time_zone=body.time_zone,
        amount=nano_of(Decimal(body.amount)),
        kind=body.kind,
    )
    return await _answer(request, await create_budget(request.database, new, actor=request.actor))


async def show(request: AdminRequest[Query, None]) -> BudgetShown:
    """Show one."""
    return await _answer(request, await get_budget(request.database, request.tenant, request.path["id"]))


async def change(request: AdminRequest[Query, BudgetChange]) -> BudgetShown:
    """Change one."""
    body = request.body
    row = await change_budget(
        request.database,
        request.tenant,
        request.path["id"],
        amount=None if body.amount is None else nano_of(Decimal(body.amount)),
        kind=body.kind,
        actor=request.actor,
        expected=request.expected,
    )
    return await _answer(request, row)


async def remove(request: AdminRequest[Query, None]) -> None:
    """Remove one."""
    await delete_budget(
        request.database, request.tenant, request.path["id"], actor=request.actor, expected=request.expected
    )


async def _answer(request: AdminRequest[Any, Any], row: Budget) -> BudgetShown:
    (standing,) = await standings(request.database, [entry_of(row)], time.time())
    return _shown(row, standing)


def _shown(row: Budget, standing: Standing) -> BudgetShown:
    start, end = standing.span
    return BudgetShown(
        id=row.id,
        scope=row.scope,
        subject=row.subject,
        amount=shown(row.amount),
        period=row.period,
        time_zone=row.time_zone,
        kind=row.kind,
        period_start=moment(start),
        period_end=moment(end),
        spent=shown(standing.spent),
        reserved=shown(standing.reserved),
        left=shown(standing.left),
        alerts=[*standing.alerts],
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        revision=row.revision,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/budgets",
        permission="billing.read",
        handler=list_,
        summary="List the budgets and how they stand",
        query=PageQuery,
        answer=Page[BudgetShown],
    ),
    Endpoint(
        method="POST",
        path="/budgets",
        permission="billing.manage",
        handler=create,
        summary="Set a budget",
        body=BudgetBody,
        answer=BudgetShown,
    ),
    Endpoint(
        method="GET",
        path="/budgets/{id}",
        permission="billing.read",
        handler=show,
        summary="Show a budget and how it stands",
        answer=BudgetShown,
    ),
    Endpoint(
        method="PATCH",
        path="/budgets/{id}",
        permission="billing.manage",
        handler=change,
        summary="Change the amount of a budget, or whether it refuses calls",
        body=BudgetChange,
        answer=BudgetShown,
    ),
    Endpoint(
        method="DELETE",
        path="/budgets/{id}",
        permission="billing.manage",
        handler=remove,
        summary="Remove a budget; what was spent stays in the ledger",
    ),
)
