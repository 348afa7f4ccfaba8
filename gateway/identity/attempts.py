"""What is counted by the address that it comes from: wrong credentials, and sign-ins that are begun."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Final

from gateway.errors import RateLimited
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from gateway.store import Database

_WINDOW: Final = 60.0
_MOST: Final = 10_000
"""Addresses that are remembered; beyond, the ones longest known are forgotten."""

_SITE_BITS: Final = 64
"""Whoever has one IPv6 address has a network of these."""


class Throttle:
    """Counts in a process, per address and minute. Raises `RateLimited` beyond `per_minute`; 0 never does."""

    def __init__(self, per_minute: int, *, told: str, code: str) -> None:
        self._most = per_minute
        self._told = told
        self._code = code
        self._counted: dict[str, tuple[float, int]] = {}

    def check(self, address: str | None) -> None:
        """Count nothing. Raises `RateLimited` when there was too much already."""
        if self._counted:
            since, count = self._counted.get(_site(address), (0.0, 0))
            self._refuse(since, count)

    def count(self, address: str | None) -> None:
        """Count one more. Raises `RateLimited` when it is one too many."""
        if not self._most:
            return
        site, now = _site(address), time.monotonic()
        since, count = self._counted.pop(site, (now, 0))
        if now - since >= _WINDOW:
            since, count = now, 0
        while len(self._counted) >= _MOST:
            del self._counted[next(iter(self._counted))]
        self._counted[site] = (since, count + 1)
        self._refuse(since, count)

    def _refuse(self, since: float, count: int) -> None:
        left = since + _WINDOW - time.monotonic()
        if count >= self._most and left > 0:
            raise self._refusal(left)

    def _refusal(self, left: float) -> RateLimited:
        seconds = int(left) + 1
        return RateLimited(
            f"{self._told} Try again in {seconds} s.",
            code=self._code,
            headers=[(b"retry-after", str(seconds).encode())],
        )


class Attempts(Throttle):
    """Wrong credentials. Asked only when one is unknown or wrong: whoever guesses is slowed down, whoever knows is not."""

    def __init__(self, per_minute: int) -> None:
        super().__init__(
            per_minute, told="Too many wrong credentials came from your address.", code="too_many_failures"
        )

    def failed(self, address: str | None) -> None:
        """Count a wrong credential. Raises `RateLimited` when it is one too many."""
        self.count(address)


class Beginnings(Throttle):
    """Sign-ins that are begun, each of which the gateway has to remember for some minutes. Counted over all workers."""

    def __init__(self, per_minute: int, database: Database) -> None:
        super().__init__(
            per_minute, told="Too many sign-ins were begun from your address.", code="too_many_sign_ins"
        )
        self._tickets = Tickets(database, "sign-ins-begun")

    async def begin(self, address: str | None) -> None:
        """Count one more. Raises `RateLimited` when it is one too many, here or elsewhere, and `Unavailable`."""
        self.count(address)  # who is refused here costs the database nothing
        if self._most:
            count, until = await self._tickets.count(_site(address), seconds=_WINDOW)
            if count > self._most:
                raise self._refusal(max(0.0, until - time.time()))


def _site(address: str | None) -> str:
    """What counts as one: an IPv4 address, an IPv6 network."""
    if address is None or ":" not in address:
        return address or ""
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _SITE_BITS), strict=False))
