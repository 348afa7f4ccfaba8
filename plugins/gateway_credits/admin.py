"""`/credits` of the admin API: a tenant's accounts, grants and transactions; for operators, granting and refunding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Moment, Page, PageQuery, Query, Shown, moment
from gateway.known import check_tenant
from gateway_credits import reading
from gateway_credits.account import Account, Kind, nano_of, shown
from gateway_credits.book import MIDDLE, Book

_Amount = Annotated[Decimal, Field(strict=False, gt=0, max_digits=18, decimal_places=9)]
_User = Annotated[
    str | None,
    Field(max_length=200, description="Whose account it is; the tenant's own where accounts are of tenants."),
]


class WhoseQuery(Query):
    """Which account."""

    user: _User = None


class PageOfWhose(PageQuery):
    """A page of what an account has."""

    user: _User = None


class GrantsQuery(PageOfWhose):
    """A page of grants."""

    spent: bool = Field(default=False, description="Also those with nothing left.")


class CreditAccount(Shown):
    """An account. Amounts are decimal numbers of credits, as text."""

    user: str | None = Field(description="Null for the tenant's own.")
    balance: str
    held: str = Field(description="By calls that are running.")
    available: str


class CreditBalance(CreditAccount):
    """An account, and how long it will last."""

    spent_a_day: str | None = Field(description="On average of the last 7 days; null for a user's account.")
    days_left: float | None = Field(description="At that pace; null where nothing was spent.")


class CreditGrant(Shown):
    """Credit that was given."""

    id: str
    kind: str
    priority: int = Field(description="0 is spent first.")
    amount: str
    remaining: str
    created_at: datetime
    expires_at: datetime | None


class CreditTransaction(Shown):
    """What was booked on the account."""

    id: str = Field(description="Of a capture, the id of its call.")
    kind: str
    at: datetime
    amount: str = Field(description="Negative for what was taken.")
    reference: str | None


class NewGrant(Body):
    """Whom to give how much."""

    tenant: str = Field(min_length=1, max_length=64)
    user: _User = None
    amount: _Amount
    kind: Kind = "paid"
    priority: int = Field(default=MIDDLE, ge=0, le=100, description="0 is spent first.")
    expires_at: Moment | None = Field(
        strict=False, default=None, description="RFC 3339; in UTC where it does not say otherwise."
    )
    reference: str = Field(
        min_length=1, max_length=200, description="The reason; told again, nothing happens."
    )


class NewRefund(Body):
    """What to give back."""

    tenant: str = Field(min_length=1, max_length=64)
    call: str = Field(min_length=1, max_length=40)
    amount: _Amount | None = Field(default=None, description="Only so much of it.")


class Booked(Shown):
    """What was done."""

    done: bool = Field(description="False when it had been done before.")
    amount: str


class _Resource:
    def __init__(self, book: Book) -> None:
        self._book = book

    def _account(self, request: AdminRequest[Any, Any]) -> Account:
        return self._book.account(request.tenant, request.query.user)

    async def balance(self, request: AdminRequest[WhoseQuery, None]) -> CreditBalance:
        """Show an account."""
        account = self._account(request)
        found = await self._book.balance(account)
        pace = None if account.owner else await reading.spent_a_day(request.database, account.tenant)
        return CreditBalance(
            **_shown(account.owner, found.balance, found.held),
            spent_a_day=None if pace is None else shown(pace),
            days_left=round(max(0, found.available) / pace, 1) if pace else None,
        )

    async def accounts(self, request: AdminRequest[PageQuery, None]) -> Page[CreditAccount]:
        """List a tenant's accounts."""
        start = after(request.query.cursor, tuple[str])
        limit = request.query.limit
        rows = await reading.list_balances(
            request.database, request.tenant, after=None if start is None else start[0], limit=limit + 1
        )
        rows, cursor = page(rows, limit, lambda row: (row.owner,))
        data = [CreditAccount(**_shown(row.owner, row.balance, row.held)) for row in rows]
        return Page[CreditAccount](data=data, next_cursor=cursor)

    async def grants(self, request: AdminRequest[GrantsQuery, None]) -> Page[CreditGrant]:
        """List grants."""
        query, start = request.query, after(request.query.cursor, tuple[str])
        account = self._account(request)
        rows = await reading.list_grants(
            request.database,
            account,
            after=None if start is None else start[0],
            limit=query.limit + 1,
            spent=query.spent,
        )
        rows, cursor = page(rows, query.limit, lambda row: (row.id,))
        return Page[CreditGrant](data=[_grant(row) for row in rows], next_cursor=cursor)

    async def transactions(self, request: AdminRequest[PageOfWhose, None]) -> Page[CreditTransaction]:
        """List transactions."""
        query, start = request.query, after(request.query.cursor, tuple[float, str])
        rows = await reading.list_transactions(
            request.database,
            self._account(request),
            after=start,
            limit=query.limit + 1,
        )
        rows, cursor = page(rows, query.limit, lambda row: (float(row.at), row.id))
        return Page[CreditTransaction](data=[_transaction(row) for row in rows], next_cursor=cursor)

    async def grant(self, request: AdminRequest[Query, NewGrant]) -> Booked:
        """Grant credit."""
        new = request.body
        amount = nano_of(new.amount)
        await check_tenant(request.database, new.tenant)
        done = await self._book.grant(
            new.tenant,
            amount,
            kind=new.kind,
            reference=new.reference,
            user=new.user,
            expires_at=_seconds(new.expires_at),
            priority=new.priority,
            actor=request.actor,
        )
        return Booked(done=done, amount=shown(amount))

    async def refund(self, request: AdminRequest[Query, NewRefund]) -> Booked:
        """Refund a call."""
        new = request.body
        amount = None if new.amount is None else nano_of(new.amount)
        given = await self._book.refund(new.tenant, new.call, amount, actor=request.actor)
        return Booked(done=given > 0, amount=shown(given))


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _shown(owner: str, balance: int, held: int) -> dict[str, Any]:
    return {
        "user": owner or None,
        "balance": shown(balance),
        "held": shown(held),
        "available": shown(balance - held),
    }


def _grant(row: Any) -> CreditGrant:
    return CreditGrant(
        id=row.id,
        kind=row.kind,
        priority=row.priority,
        amount=shown(row.amount),
        remaining=shown(row.remaining),
        created_at=moment(float(row.created_at)),
        expires_at=None if row.expires_at is None else moment(float(row.expires_at)),
    )


def _transaction(row: Any) -> CreditTransaction:
    at = moment(float(row.at))
    return CreditTransaction(
        id=row.id, kind=row.kind, at=at, amount=shown(row.amount), reference=row.reference
    )


def endpoints(book: Book) -> Sequence[Endpoint]:
    """Declare the endpoints on a book."""
    resource = _Resource(book)
    return (
        Endpoint(
            method="GET",
            path="/credits/balance",
            permission="billing.read",
            handler=resource.balance,
            summary="Show what an account has, and how long that will last",
            query=WhoseQuery,
            answer=CreditBalance,
        ),
        Endpoint(
            method="GET",
            path="/credits/accounts",
            permission="billing.read",
            handler=resource.accounts,
            summary="List the tenant's credit accounts",
            query=PageQuery,
            answer=Page[CreditAccount],
        ),
        Endpoint(
            method="GET",
            path="/credits/grants",
            permission="billing.read",
            handler=resource.grants,
            summary="List the credit that an account was given",
            query=GrantsQuery,
            answer=Page[CreditGrant],
        ),
        Endpoint(
            method="GET",
            path="/credits/transactions",
            permission="billing.read",
            handler=resource.transactions,
            summary="List what was booked on an account, newest first",
            query=PageOfWhose,
            answer=Page[CreditTransaction],
        ),
        Endpoint(
            method="POST",
            path="/credits/grants",
            permission="gateway.billing",
            handler=resource.grant,
            summary="Give an account credit, once for each reference",
            body=NewGrant,
            answer=Booked,
        ),
        Endpoint(
            method="POST",
            path="/credits/refunds",
            permission="gateway.billing",
            handler=resource.refund,
            summary="Give back what a call was charged, once",
            body=NewRefund,
            answer=Booked,
        ),
    )
