"""The book as other plugins read it, on both databases."""

from __future__ import annotations

import time

from gateway.billing import ShowsCredits
from gateway.store import Database
from gateway.types import NANO
from gateway_credits.book import Welcome
from gateway_credits.showing import ShownBook


async def test_an_account_is_shown_with_what_was_given_and_used(database: Database) -> None:
    book = ShownBook(database, per="tenant", welcome=None, payment_url="https://pay.example/{tenant}/{user}")
    assert isinstance(book, ShowsCredits)
    nothing = await book.credit_account("acme/eu", "usr_ann")
    assert (nothing.balance, nothing.granted, nothing.used, nothing.grants) == (0, 0, 0, 0)
    assert (nothing.payment_url, nothing.shared) == ("https://pay.example/acme%2Feu/", True)
    await book.grant("acme", 5 * NANO, kind="paid", reference="one")
    await book.grant("acme", NANO, kind="promotional", reference="two", expires_at=time.time() + 3600)
    await book.take_back("acme", 2 * NANO, grant="one", reference="back")
    account = await book.credit_account("acme")
    assert (account.balance, account.granted, account.used) == (4 * NANO, 6 * NANO, 2 * NANO)
    given = await book.credit_grants("acme", limit=9)
    assert sorted((one.kind, one.amount) for one in given) == [("paid", 5 * NANO), ("promotional", NANO)]
    booked = await book.credit_entries("acme", limit=2)
    assert [one.amount for one in booked] == [-2 * NANO, NANO]
    assert await book.credit_entries("beta", limit=9) == []


async def test_a_users_account_opens_with_its_welcome(database: Database) -> None:
    book = ShownBook(database, per="user", welcome=Welcome(NANO, None), payment_url=None)
    for _ in range(2):
        account = await book.credit_account("acme", "usr_ann")
        assert (account.balance, account.grants, account.shared) == (NANO, 1, False)
        assert account.payment_url is None
