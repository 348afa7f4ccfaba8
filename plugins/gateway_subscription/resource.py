"""`/plans`, `/subscription` (one's own) and `/subscriptions` (the operator's) of the admin API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.of_tenant import page_of
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway_subscription.money import shown
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.rows import (
    ChargeRow,
    Row,
    all_subscriptions,
    cancel,
    change,
    get_subscription,
    list_charges,
    resume,
    set_overdue,
    subscribe,
)
from gateway_subscription.used import used_of

if TYPE_CHECKING:
    from gateway.store.changes import Expected


class PlanShown(Shown):
    """A plan. Amounts are decimal numbers."""

    id: str
    name: str
    price: str = Field(description="Of a seat for one period.")
    currency: str
    period: str
    included: str | None = Field(description="Credits of usage for a seat; null is not limited.")
    overage: str
    models: list[str] | None
    limits: dict[str, int | None] | None
    most_seats: int | None
    trial_days: int
    grace_days: int


class PlanList(Shown):
    """All plans."""

    data: list[PlanShown]


class SubscriptionShown(Shown):
    """A subscription."""

    id: str
    tenant: str
    plan: str
    seats: int
    status: str = Field(description="trialing, active, past_due, cancelled or expired.")
    period_start: datetime
    period_end: datetime
    included: str | None = Field(description="Credits of usage in this period; null is not limited.")
    used: str
    next_plan: str | None
    next_seats: int | None
    cancel_at_end: bool
    grace_until: datetime | None
    reference: str | None = Field(description="Of who takes the money and leads it; null where nobody does.")
    revision: int


class ChargeShown(Shown):
    """What a part of a period costs."""

    id: str
    kind: str
    plan: str
    seats: int
    start: datetime
    end: datetime
    amount: str = Field(description="Negative where money is given back.")
    currency: str


class ChangeBody(Body):
    """Which plan it is to be, of how many seats."""

    plan: str = Field(max_length=64)
    seats: int | None = Field(default=None, ge=1, le=1_000_000)
    at_end: bool = Field(default=False, description="From the next period on, and not at once.")


class CancelBody(Body):
    """When it is to end."""

    at_end: bool = Field(default=True, description="At the end of the period, and not at once.")


class NewBody(Body):
    """A subscription to be."""

    tenant: str = Field(max_length=64)
    plan: str = Field(max_length=64)
    seats: int = Field(default=1, ge=1, le=1_000_000)


class OverdueBody(Body):
    """Whether a payment is overdue."""

    overdue: bool


class Desk:
    """The operations, which know the plans."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    async def list_plans(self, request: AdminRequest[Query, None]) -> PlanList:
        """List the plans."""
        del request
        return PlanList(data=[_plan(name, plan) for name, plan in self._plans.by_id.items()])

    async def mine(self, request: AdminRequest[Query, None]) -> SubscriptionShown:
        """Show the tenant's."""
        return await _answer(request, await get_subscription(request.database, request.tenant))

    async def change_mine(self, request: AdminRequest[Query, ChangeBody]) -> SubscriptionShown:
        """Change the tenant's."""
        return await self._change(request, request.tenant, request.expected)

    async def cancel_mine(self, request: AdminRequest[Query, None]) -> SubscriptionShown:
        """Cancel the tenant's at the end of its period."""
        row = await cancel(request.database, self._plans, request.tenant, actor=request.actor)
        return await _answer(request, row)

    async def resume_mine(self, request: AdminRequest[Query, None]) -> SubscriptionShown:
        """Let the tenant's go on that was to end with its period."""
        row = await resume(request.database, self._plans, request.tenant, actor=request.actor)
        return await _answer(request, row)

    async def charges(self, request: AdminRequest[PageQuery, None]) -> Page[ChargeShown]:
        """List what the tenant's has cost."""
        rows, cursor = await page_of(request, list_charges, lambda row: row.id)
        return Page[ChargeShown](data=[_charge(row) for row in rows], next_cursor=cursor)

    async def list_(self, request: AdminRequest[PageQuery, None]) -> Page[SubscriptionShown]:
        """List those of all tenants."""
        query = request.query
        last = after(query.cursor, tuple[str])
        found = await all_subscriptions(
            request.database, after=last[0] if last else None, limit=query.limit + 1
        )
        rows, cursor = page(found, query.limit, lambda row: (row.tenant,))
        return Page[SubscriptionShown](data=[await _answer(request, row) for row in rows], next_cursor=cursor)

    async def create(self, request: AdminRequest[Query, NewBody]) -> SubscriptionShown:
        """Begin one for a tenant."""
        body = request.body
        row = await subscribe(
            request.database, self._plans, body.tenant, body.plan, seats=body.seats, actor=request.actor
        )
        return await _answer(request, row)

    async def show(self, request: AdminRequest[Query, None]) -> SubscriptionShown:
        """Show that of a tenant."""
        return await _answer(request, await get_subscription(request.database, request.path["tenant"]))

    async def change_theirs(self, request: AdminRequest[Query, ChangeBody]) -> SubscriptionShown:
        """Change that of a tenant."""
        return await self._change(request, request.path["tenant"], request.expected)

    async def cancel_theirs(self, request: AdminRequest[Query, CancelBody]) -> SubscriptionShown:
        """Cancel that of a tenant."""
        tenant, at_end = request.path["tenant"], request.body.at_end
        row = await cancel(request.database, self._plans, tenant, at_end=at_end, actor=request.actor)
        return await _answer(request, row)

    async def resume_theirs(self, request: AdminRequest[Query, None]) -> SubscriptionShown:
        """Let that of a tenant go on."""
        row = await resume(request.database, self._plans, request.path["tenant"], actor=request.actor)
        return await _answer(request, row)

    async def overdue(self, request: AdminRequest[Query, OverdueBody]) -> SubscriptionShown:
        """Say whether a payment of a tenant is overdue."""
        row = await set_overdue(
            request.database,
            self._plans,
            request.path["tenant"],
            overdue=request.body.overdue,
            actor=request.actor,
        )
        return await _answer(request, row)

    async def _change(
        self, request: AdminRequest[Any, ChangeBody], tenant: str, expected: Expected
    ) -> SubscriptionShown:
        body = request.body
        row = await change(
            request.database,
            self._plans,
            tenant,
            body.plan,
            seats=body.seats,
            at_end=body.at_end,
            actor=request.actor,
            expected=expected,
        )
        return await _answer(request, row)

    def endpoints(self) -> Sequence[Endpoint]:
        """Declare them."""
        read, manage, operate = "billing.read", "billing.manage", "gateway.billing"
        one, of_tenant = SubscriptionShown, "/subscriptions/{tenant}"
        return (
            Endpoint(
                method="GET",
                path="/plans",
                permission=read,
                handler=self.list_plans,
                summary="List the plans",
                answer=PlanList,
            ),
            Endpoint(
                method="GET",
                path="/subscription",
                permission=read,
                handler=self.mine,
                summary="Show the tenant's subscription",
                answer=one,
            ),
            Endpoint(
                method="PATCH",
                path="/subscription",
                permission=manage,
                handler=self.change_mine,
                summary="Change the plan or the seats",
                body=ChangeBody,
                answer=one,
            ),
            Endpoint(
                method="POST",
                path="/subscription/cancel",
                permission=manage,
                handler=self.cancel_mine,
                summary="Cancel the tenant's subscription at the end of its period",
                answer=one,
                status=200,
            ),
            Endpoint(
                method="POST",
                path="/subscription/resume",
                permission=manage,
                handler=self.resume_mine,
                summary="Let the tenant's subscription go on that was to end with its period",
                answer=one,
                status=200,
            ),
            Endpoint(
                method="GET",
                path="/subscription/charges",
                permission=read,
                handler=self.charges,
                summary="List what the tenant's subscription has cost",
                query=PageQuery,
                answer=Page[ChargeShown],
            ),
            Endpoint(
                method="GET",
                path="/subscriptions",
                permission=operate,
                handler=self.list_,
                summary="List the subscriptions of all tenants",
                query=PageQuery,
                answer=Page[SubscriptionShown],
            ),
            Endpoint(
                method="POST",
                path="/subscriptions",
                permission=operate,
                handler=self.create,
                summary="Begin a subscription for a tenant",
                body=NewBody,
                answer=one,
            ),
            Endpoint(
                method="GET",
                path=of_tenant,
                permission=operate,
                handler=self.show,
                summary="Show a tenant's subscription",
                answer=one,
            ),
            Endpoint(
                method="PATCH",
                path=of_tenant,
                permission=operate,
                handler=self.change_theirs,
                summary="Change a tenant's plan or seats",
                body=ChangeBody,
                answer=one,
            ),
            Endpoint(
                method="POST",
                path=f"{of_tenant}/cancel",
                permission=operate,
                handler=self.cancel_theirs,
                summary="Cancel a tenant's subscription",
                body=CancelBody,
                answer=one,
                status=200,
            ),
            Endpoint(
                method="POST",
                path=f"{of_tenant}/resume",
                permission=operate,
                handler=self.resume_theirs,
                summary="Let a tenant's subscription go on that was to end with its period",
                answer=one,
                status=200,
            ),
            Endpoint(
                method="POST",
                path=f"{of_tenant}/overdue",
                permission=operate,
                handler=self.overdue,
                summary="Say whether a tenant's payment is overdue",
                body=OverdueBody,
                answer=one,
                status=200,
            ),
        )


def _plan(id: str, plan: Plan) -> PlanShown:
    return PlanShown(
        id=id,
        name=plan.name,
        price=str(plan.price),
        currency=plan.currency,
        period=plan.period,
        included=None if plan.included is None else str(plan.included),
        overage=plan.overage,
        models=None if plan.models is None else [*plan.models],
        limits=None if plan.limits is None else plan.limits.model_dump(),
        most_seats=plan.most_seats,
        trial_days=plan.trial_days,
        grace_days=plan.grace_days,
    )


async def _answer(request: AdminRequest[Any, Any], row: Row) -> SubscriptionShown:
    return SubscriptionShown(
        id=row.id,
        tenant=row.tenant,
        plan=row.plan,
        seats=row.seats,
        status=row.status,
        period_start=moment(row.period_start),
        period_end=moment(row.period_end),
        included=None if row.included is None else shown(row.included),
        used=shown(await used_of(request.database, row)),
        next_plan=row.next_plan,
        next_seats=row.next_seats,
        cancel_at_end=row.cancel_at_end,
        grace_until=moment(row.grace_until),
        reference=row.reference,
        revision=row.revision,
    )


def _charge(row: ChargeRow) -> ChargeShown:
    return ChargeShown(
        id=row.id,
        kind=row.kind,
        plan=row.plan,
        seats=row.seats,
        start=moment(row.start),
        end=moment(row.end),
        amount=shown(row.amount),
        currency=row.currency,
    )
