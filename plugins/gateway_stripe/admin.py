"""What `billing.stripe` adds to the admin API: what is on sale, buying it, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pydantic import Field, model_validator

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, moment
from gateway_stripe.config import nano_of, shown
from gateway_stripe.customers import customer_of
from gateway_stripe.orders import Order, get_order, list_orders
from gateway_stripe.sender import asking

if TYPE_CHECKING:
    from gateway_stripe.office import Office
    from gateway_stripe.subscriptions import Subscription

_MOST_INVOICES: Final = 24


class PackShown(Shown):
    """A credit pack on sale."""

    name: str
    title: str
    credits: str
    amount: int = Field(description="In the currency's smallest unit.")
    currency: str


class PlanShown(Shown):
    """A subscription on sale."""

    name: str
    title: str
    price: str = Field(description="Stripe's id of the price.")
    credits: str = Field(description="Credits that come with each paid period.")


class Offers(Shown):
    """All that is on sale."""

    packs: list[PackShown]
    plans: list[PlanShown]


class Purchase(Body):
    """What to buy: a pack or a plan."""

    pack: str | None = Field(default=None, max_length=100)
    plan: str | None = Field(default=None, max_length=100)
    seats: int = Field(default=1, ge=1, le=100_000, description="How many, of a plan.")

    @model_validator(mode="after")
    def _one(self) -> Purchase:
        if (self.pack is None) == (self.plan is None):
            raise ValueError("name either a pack or a plan")
        return self


class Change(Body):
    """What is to become of the subscription; what is left out stays."""

    plan: str | None = Field(default=None, max_length=100)
    seats: int | None = Field(default=None, ge=1, le=100_000)
    ends: bool | None = Field(default=None, description="Whether it ends with its period.")


class OrderShown(Shown):
    """An order."""

    id: str
    kind: str = Field(description="pack, plan, or period: a paid one of a plan.")
    item: str
    user: str | None
    credits: str
    credits_taken_back: str = Field(description="By refunds and disputes.")
    amount: int | None = Field(description="In the currency's smallest unit; null for a plan.")
    currency: str | None
    status: str = Field(description="open, paid, expired, failed or refused.")
    url: str | None = Field(description="Where to pay, while it is open.")
    created_at: datetime
    paid_at: datetime | None


class Link(Shown):
    """A page at Stripe."""

    url: str


class SubscriptionShown(Shown):
    """A subscription."""

    id: str
    plan: str | None
    seats: int
    status: str
    period_end: datetime | None
    ends: bool = Field(description="Whether it is cancelled at the end of its period.")


class InvoiceShown(Shown):
    """An invoice of Stripe's."""

    id: str
    number: str | None
    status: str | None
    total: int = Field(description="In the currency's smallest unit.")
    currency: str
    created_at: datetime
    url: str | None = Field(description="Stripe's page of it.")
    pdf: str | None


class Desk:
    """The handlers."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def offers(self, _request: AdminRequest[Query, None]) -> Offers:
        """Show what is on sale."""
        config = self._office.config
        packs = [
            PackShown(
                name=name,
                title=pack.title,
                credits=shown(nano_of(pack.credits)),
                amount=pack.amount,
                currency=pack.currency,
            )
            for name, pack in config.packs.items()
        ]
        plans = [
            PlanShown(
                name=name, title=plan.title or name, price=plan.price, credits=shown(nano_of(plan.credits))
            )
            for name, plan in config.plans.items()
        ]
        return Offers(packs=packs, plans=plans)

    async def buy(self, request: AdminRequest[Query, Purchase]) -> OrderShown:
        """Order something; the answer says where to pay."""
        till, body = self._office.till, request.body
        who = request.tenant, request.principal.user
        if body.pack is not None:
            return _order(await till.buy_pack(*who, body.pack, actor=request.actor))
        return _order(await till.buy_plan(*who, body.plan or "", seats=body.seats, actor=request.actor))

    async def portal(self, request: AdminRequest[Query, None]) -> Link:
        """Make a link to the customer portal."""
        return Link(url=await self._office.till.portal(request.tenant))

    async def orders(self, request: AdminRequest[PageQuery, None]) -> Page[OrderShown]:
        """List orders."""
        limit, before = request.query.limit, after(request.query.cursor, tuple[float, str])
        rows = await list_orders(request.database, request.tenant, limit=limit + 1, before=before)
        shown, cursor = page(rows, limit, lambda row: (row.created_at, row.id))
        return Page[OrderShown](data=[_order(row) for row in shown], next_cursor=cursor)

    async def order(self, request: AdminRequest[Query, None]) -> OrderShown:
        """Show one."""
        return _order(await get_order(request.database, request.tenant, request.path["id"]))

    async def subscriptions(self, request: AdminRequest[Query, None]) -> Page[SubscriptionShown]:
        """List subscriptions."""
        rows = await self._office.subscriptions.of_tenant(request.tenant)
        return Page[SubscriptionShown](data=[_subscription(row) for row in rows], next_cursor=None)

    async def change(self, request: AdminRequest[Query, Change]) -> SubscriptionShown:
        """Change the subscription at Stripe, which settles the rest of the period."""
        body = request.body
        return _subscription(
            await self._office.subscriptions.change(
                request.tenant, plan=body.plan, seats=body.seats, ends=body.ends
            )
        )

    async def invoices(self, request: AdminRequest[Query, None]) -> Page[InvoiceShown]:
        """List the latest invoices, as Stripe has them now."""
        customer = await customer_of(request.database, request.tenant)
        if customer is None:
            return Page[InvoiceShown](data=[], next_cursor=None)
        with asking("invoices"):
            found = await self._office.client.v1.invoices.list_async(
                {"customer": customer, "limit": _MOST_INVOICES}
            )
        return Page[InvoiceShown](
            data=[
                InvoiceShown(
                    id=invoice.id,
                    number=invoice.number,
                    status=invoice.status,
                    total=invoice.total,
                    currency=invoice.currency,
                    created_at=datetime.fromtimestamp(invoice.created, UTC),
                    url=invoice.hosted_invoice_url,
                    pdf=invoice.invoice_pdf,
                )
                for invoice in found.data
            ],
            next_cursor=None,
        )


def endpoints(office: Office) -> Sequence[Endpoint]:
    """All operations."""
    desk, at = Desk(office), "/billing/stripe"
    return (
        Endpoint(
            method="GET",
            path=f"{at}/offers",
            permission="billing.read",
            handler=desk.offers,
            summary="Show the packs and plans on sale",
            answer=Offers,
        ),
        Endpoint(
            method="POST",
            path=f"{at}/orders",
            permission="billing.manage",
            handler=desk.buy,
            summary="Buy a pack or a plan; the answer says where to pay",
            body=Purchase,
            answer=OrderShown,
        ),
        Endpoint(
            method="GET",
            path=f"{at}/orders",
            permission="billing.read",
            handler=desk.orders,
            summary="List orders, newest first",
            query=PageQuery,
            answer=Page[OrderShown],
        ),
        Endpoint(
            method="GET",
            path=f"{at}/orders/{{id}}",
            permission="billing.read",
            handler=desk.order,
            summary="Show an order",
            answer=OrderShown,
        ),
        Endpoint(
            method="POST",
            path=f"{at}/portal",
            permission="billing.manage",
            handler=desk.portal,
            summary="Make a link to the customer portal",
            answer=Link,
        ),
        Endpoint(
            method="GET",
            path=f"{at}/subscriptions",
            permission="billing.read",
            handler=desk.subscriptions,
            summary="List subscriptions",
            answer=Page[SubscriptionShown],
        ),
        Endpoint(
            method="POST",
            path=f"{at}/subscription",
            permission="billing.manage",
            handler=desk.change,
            summary="Change plan or seats, or cancel at the end of the period",
            body=Change,
            answer=SubscriptionShown,
        ),
        Endpoint(
            method="GET",
            path=f"{at}/invoices",
            permission="billing.read",
            handler=desk.invoices,
            summary="List the latest invoices at Stripe",
            answer=Page[InvoiceShown],
        ),
    )


def _order(row: Order) -> OrderShown:
    return OrderShown(
        id=row.id,
        kind=row.kind,
        item=row.item,
        user=row.user,
        credits=shown(row.credits),
        credits_taken_back=shown(row.reversed),
        amount=row.amount,
        currency=row.currency,
        status=row.status,
        url=row.url,
        created_at=moment(row.created_at),
        paid_at=moment(row.paid_at),
    )


def _subscription(row: Subscription) -> SubscriptionShown:
    return SubscriptionShown(
        id=row.id,
        plan=row.plan,
        seats=row.seats,
        status=row.status,
        period_end=moment(row.period_end),
        ends=row.ends,
    )
