"""Devices: a program at a terminal asks for a session, and a person lets it in with a browser (RFC 8628)."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gateway.identity.people import Client, SignedIn
from gateway.store.tickets import UNDER_WAY, Tickets

if TYPE_CHECKING:
    from gateway.identity.sessions import Sessions
    from gateway.store import Database

SECONDS: Final = 600
"""For so long a code is good."""
INTERVAL: Final = 5
"""Seconds between two questions of a program; those that ask sooner are to wait as much longer each time (§3.5)."""

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""§6.1: no vowels, so no words; no digits that look like letters. Eight of them are 34 bits."""
_LENGTH: Final = 8
_EARLY: Final = 0.5
"""So much sooner than agreed is still in time: clocks and networks are not exact."""

NotYet: TypeAlias = Literal["authorization_pending", "slow_down", "access_denied", "expired_token"]
"""Why there is no session, in the words of RFC 8628 §3.5."""


class Codes(Struct, frozen=True, kw_only=True):
    """What a program gets."""

    device_code: str
    """Its own secret, to ask with."""
    user_code: str
    """For the person, as `BCDF-GHJK`."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A program that waits to be let in, as it is shown to the person."""

    user_code: str
    tenant: str | None
    """For which it wants to act; None for the person's own choice."""
    address: str | None
    agent: str | None
    since: float
    """Unix seconds."""


class Devices:
    """Lets programs in. A code is decided on once, and gives one session."""

    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._sessions = sessions
        self._asking = Tickets(database, "device")
        self._waiting = Tickets(database, "device-waiting", most=UNDER_WAY)
        self._decided = Tickets(database, "device-decided")

    async def begin(self, client: Client, *, tenant: str | None = None) -> Codes:
        """Note that a program asks to be let in. Raises `RateLimited`, `Unavailable` when too many do."""
        await self._sessions.begin(client.address)
        code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        about = {"tenant": tenant, "address": client.address, "agent": client.agent, "since": time.time()}
        await self._waiting.issue(about, seconds=SECONDS, token=code)
        asking = {"code": code, "interval": INTERVAL, "asked_at": 0.0}
        device_code = await self._asking.issue(asking, seconds=SECONDS)
        return Codes(device_code=device_code, user_code=f"{code[:4]}-{code[4:]}")

    async def waiting(self, user_code: str) -> Waiting | None:
        """Who waits under a code as a person typed it; None when nobody does, or it was decided on already."""
        code = _plain(user_code)
        about: dict[str, Any] | None = await self._waiting.look(code)
        return None if about is None else Waiting(user_code=f"{code[:4]}-{code[4:]}", **about)

    async def decide(
        self, user_code: str, *, user: str | None, session: str | None = None, tenant: str | None = None
    ) -> bool:
        """Let a program in as a user, acting for a tenant of theirs; refuse it without one. False when nobody waits.

        `session` is the one in which the user decides: while the program has not fetched its own, it must not end.
        """
        code = _plain(user_code)
        if await self._waiting.redeem(code) is None:
            return False
        decision = {"user": user, "session": session, "tenant": tenant}
        await self._decided.issue(decision, seconds=SECONDS, token=code)
        return True

    async def collect(self, device_code: str, *, client: Client) -> SignedIn | NotYet:
        """Open the session that a person has agreed to, once. Raises `PermissionDenied` when they may not sign in."""
        asking: dict[str, Any] | None = await self._asking.look(device_code)
        if asking is None:
            return "expired_token"
        now = time.time()
        hasty = now - asking["asked_at"] < asking["interval"] - _EARLY
        interval = asking["interval"] + (INTERVAL if hasty else 0)
        await self._asking.change(device_code, {**asking, "interval": interval, "asked_at": now})
        if hasty:
            return "slow_down"
        decision: dict[str, Any] | None = await self._decided.look(asking["code"])
        if decision is None:
            return "authorization_pending"
        if (
            await self._asking.redeem(device_code) is None
            or await self._decided.redeem(asking["code"]) is None
        ):
            return "expired_token"
        if decision["user"] is None:
            return "access_denied"
        return await self._open(decision["user"], decision["session"], decision["tenant"], client)

    async def _open(self, user: str, allowed_in: str | None, tenant: str | None, client: Client) -> SignedIn:
        signed_in = await self._sessions.sign_in_user(
            user, method="device", client=client, allowed_in=allowed_in
        )
        session = signed_in.session
        if tenant is None or session.tenant == tenant:
            return signed_in
        return replace(signed_in, session=await self._sessions.switch_tenant(session.id, tenant, user=user))


def _plain(user_code: str) -> str:
    """A code without the hyphen, and without what people type besides."""
    return "".join(filter(str.isalnum, user_code[:40].upper()))
