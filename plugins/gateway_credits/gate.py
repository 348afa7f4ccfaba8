"""What a caller without credit is told, and how a new one gets an account."""

from __future__ import annotations

import asyncio

from gateway.errors import QuotaExceeded
from gateway.types import Answer, Call, Proceed
from gateway_credits.account import Account, payment_link, shown
from gateway_credits.book import Book
from gateway_credits.holding import Holding, NotEnough

_MANY = 100_000


class Gate:
    """`gateway.protocols.AroundCall`: opens accounts, and says in a refusal where to pay."""

    def __init__(self, holding: Holding, book: Book, *, opens: bool, payment_url: str | None) -> None:
        self._holding = holding
        self._book = book
        self._opens = opens
        self._payment_url = payment_url
        self._known: set[Account] = set()
        self._opening = asyncio.Lock()

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        """Raises `QuotaExceeded` when the account has too little."""
        if self._opens:
            account = self._holding.account_of(call)
            if account not in self._known:
                await self._open(account)
        try:
            return await proceed(call)
        except NotEnough:
            raise self._refusal(call) from None

    async def _open(self, account: Account) -> None:
        async with self._opening:
            if account in self._known:
                return
            await self._book.open(account)
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known.add(account)

    def _refusal(self, call: Call) -> QuotaExceeded:
        account = self._holding.account_of(call)
        self._holding.touched.add(account)
        needed = shown(self._holding.asked(call))
        message = f"There is not enough credit: this call may cost up to {needed} credits."
        headers = [(b"x-should-retry", b"false")]
        if self._payment_url is not None:
            link = payment_link(self._payment_url, account)
            message += f" Add credit: {link}"
            headers.append((b"link", f'<{link}>; rel="payment"'.encode()))
        return QuotaExceeded(message, code="insufficient_credit", headers=headers)
