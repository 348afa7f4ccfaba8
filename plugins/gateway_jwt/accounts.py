"""The accounts that subjects of issuers are linked to: looked up once, forgotten when any identity or user changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.store.users import get_user

if TYPE_CHECKING:
    from gateway.plugin import Context

_MOST: Final = 10_000


class Account(Struct, frozen=True):
    """The user whose way to sign in a subject is."""

    user: str
    active: bool


class Accounts:
    """The accounts that were asked for."""

    def __init__(self, context: Context) -> None:
        self._sessions = context.sessions
        self._database = context.database
        self._accounts: dict[str, Account | None] = {}
        self._changes = 0

    def forget(self) -> None:
        """Look everything up again."""
        self._changes += 1
        self._accounts.clear()

    async def find(self, issuer: str, subject: str) -> Account | None:
        """Whose account it is; None for nobody's here. Raises `Unavailable` when the database is away."""
        key = f"{issuer} {subject}"
        if key in self._accounts:
            return self._accounts[key]
        changes, account = self._changes, None
        identity = await self._sessions.identity("oidc", key)
        if identity is not None:
            user = await get_user(self._database, identity.user)
            account = Account(identity.user, user is not None and user.state == "active")
        if changes == self._changes:
            if len(self._accounts) >= _MOST:
                self._accounts.clear()
            self._accounts[key] = account
        return account
