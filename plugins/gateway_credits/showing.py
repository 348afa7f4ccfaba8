"""The book as other plugins read it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import json
from sqlalchemy import func, or_, select

from gateway.billing import CreditAccount, CreditEntry, CreditGrant
from gateway.doors import Terms
from gateway_credits import reading
from gateway_credits.account import payment_link
from gateway_credits.book import Book
from gateway_credits.covering import covered
from gateway_credits.grants import of
from gateway_credits.tables import grants

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.doors import Covered
    from gateway.store import Database
    from gateway_credits.account import Per
    from gateway_credits.book import Welcome


class ShownBook(Book):
    """The book, `gateway.billing.ShowsCredits` and `gateway.doors.Covers`."""

    def __init__(
        self,
        database: Database,
        *,
        per: Per,
        welcome: Welcome | None,
        free: Collection[str] = (),
        payment_url: str | None,
    ) -> None:
        super().__init__(database, per=per, welcome=welcome, free=free)
        self._payment_url = payment_url
        self._welcomes = welcome is not None

    def terms(self) -> Terms:
        """See `gateway.doors.Covers`: the authenticators whose callers pay nothing here."""
        return Terms("credit", json.encode(sorted(self.free)).decode())

    async def cover(
        self, connection: AsyncConnection, tenant: str, since: float, until: float, terms: Terms
    ) -> Sequence[Covered]:
        """See `gateway.doors.Covers`."""
        free = json.decode(terms.config, type=list[str])
        return await covered(connection, free, tenant, since, until)

    async def credit_account(self, tenant: str, user: str | None = None) -> CreditAccount:
        """See the protocol. Whoever looks before their first call finds their welcome there."""
        account = self.account(tenant, user)
        if self._welcomes:
            await self.open(account)
        balance = await self.balance(account)
        alive = or_(grants.c.expires_at.is_(None), grants.c.expires_at > time.time())
        left = func.count().filter(grants.c.remaining > 0)
        query = select(func.sum(grants.c.amount), left).where(*of(grants, account), alive)
        async with self.database.connect() as connection:
            granted, count = (await connection.execute(query)).one()
        return CreditAccount(
            balance=balance.balance,
            held=balance.held,
            granted=int(granted or 0),
            grants=count,
            shared=not account.owner,
            payment_url=None if self._payment_url is None else payment_link(self._payment_url, account),
        )

    async def credit_grants(
        self, tenant: str, user: str | None = None, *, limit: int
    ) -> Sequence[CreditGrant]:
        """See the protocol."""
        rows = await reading.list_grants(
            self.database, self.account(tenant, user), after=None, limit=limit, spent=True
        )
        return [_read(row, CreditGrant) for row in rows]

    async def credit_entries(
        self, tenant: str, user: str | None = None, *, limit: int
    ) -> Sequence[CreditEntry]:
        """See the protocol."""
        account = self.account(tenant, user)
        rows = await reading.list_transactions(self.database, account, after=None, limit=limit)
        return [_read(row, CreditEntry) for row in rows]


def _read(row: Any, kind: Any) -> Any:
    return kind(**{name: getattr(row, name) for name in kind.__struct_fields__})
