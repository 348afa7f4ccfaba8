"""Prepaid credits as the hub tells of them: `context.credits`, where a plugin keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.billing import CreditAccount, ShowsCredits
from gateway.errors import PermissionDenied
from gateway.types import NANO
from gateway_aigne.query import page_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.doors import Visit
    from gateway.plugin import Context
    from gateway.types import Principal

CURRENCY: Final = {"name": "Credits", "symbol": "credits", "decimal": 9}
"""The unit of all amounts."""
_PAGE: Final = 20
_READ: Final = "billing.read"


class Credit:
    """Tells callers what they have."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def account(self, principal: Principal) -> CreditAccount | None:
        """The account that pays for somebody's calls; None where there are no credits."""
        return await self.account_of(principal.tenant, principal.user)

    async def account_of(self, tenant: str, user: str | None = None) -> CreditAccount | None:
        """The account of a tenant, or of a user in it; None where there are no credits."""
        book = self._book
        return None if book is None else await book.credit_account(tenant, user)

    async def balance(self, visit: Visit, _request: Request) -> Response:
        """Tell what is there; zero without credits."""
        account = await self.account(visit.principal)
        if account is None:
            nothing = {"balance": "0", "total": "0", "grantCount": 0, "pendingCredit": "0", "currency": None}
            return JSONResponse(nothing)
        return JSONResponse({**shown(account), "currency": CURRENCY})

    async def payment_link(self, visit: Visit, _request: Request) -> Response:
        """Tell where to add credit, if anywhere."""
        account = await self.account(visit.principal)
        return JSONResponse(None if account is None else account.payment_url)

    async def grants(self, visit: Visit, request: Request) -> Response:
        """List what was given, newest first. `count` tells no more than whether there is another page."""
        page, book, who = page_of(request, _PAGE), await self._history(visit), visit.principal
        rows = () if book is None else await book.credit_grants(who.tenant, who.user, limit=page.until + 1)
        listed = [
            {
                "id": row.id,
                "category": row.kind,
                "amount": text(row.amount),
                "remaining_amount": text(row.remaining),
                "status": "depleted" if not row.remaining else "granted",
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "currency": CURRENCY,
            }
            for row in rows[page.entries]
        ]
        return _page(listed, len(rows), page.number, page.size)

    async def transactions(self, visit: Visit, request: Request) -> Response:
        """List what was booked, newest first; as `grants`."""
        page, book, who = page_of(request, _PAGE), await self._history(visit), visit.principal
        rows = () if book is None else await book.credit_entries(who.tenant, who.user, limit=page.until + 1)
        listed = [
            {
                "id": row.id,
                "type": row.kind,
                "credit_amount": text(row.amount),
                "created_at": row.at,
                "description": row.reference,
                "currency": CURRENCY,
            }
            for row in rows[page.entries]
        ]
        return _page(listed, len(rows), page.number, page.size)

    async def _history(self, visit: Visit) -> ShowsCredits | None:
        """The book, for whoever may read an account's past. Raises `PermissionDenied` where it is the tenant's."""
        book, account = self._book, await self.account(visit.principal)
        if account is not None and account.shared and not visit.principal.may(_READ):
            raise PermissionDenied(
                f"The account is your tenant's: to see what was booked on it, the permission '{_READ}' is needed."
            )
        return book

    @property
    def _book(self) -> ShowsCredits | None:
        book = self._context.credits
        return book if isinstance(book, ShowsCredits) else None


def shown(account: CreditAccount) -> dict[str, Any]:
    """An account in the hub's words: a debt is `pendingCredit`, and the balance then zero."""
    return {
        "balance": text(max(0, account.balance)),
        "total": text(account.granted),
        "used": text(account.used),
        "grantCount": account.grants,
        "pendingCredit": text(max(0, -account.balance)),
    }


def text(nano: int) -> str:
    """Write 10⁻⁹ credit as credits, exactly."""
    whole, rest = divmod(abs(nano), NANO)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if nano < 0 else digits


def _page(listed: list[dict[str, Any]], count: int, number: int, size: int) -> Response:
    return JSONResponse({"count": count, "list": listed, "paging": {"page": number, "pageSize": size}})
