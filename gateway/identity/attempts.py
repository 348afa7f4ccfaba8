"""Wrong credentials by the address that they come from: whoever guesses is slowed down, whoever knows is not."""

from __future__ import annotations

import ipaddress
import time
from typing import Final

from gateway.errors import RateLimited

_WINDOW: Final = 60.0
_MOST: Final = 10_000
"""Addresses that are remembered; beyond, the ones longest known are forgotten."""

_SITE_BITS: Final = 64
"""Whoever has one IPv6 address has a network of these."""


class Attempts:
    """Counts failures in a process, per address and minute. Asked only when a credential is unknown or wrong."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._failures: dict[str, tuple[float, int]] = {}

    def check(self, address: str | None) -> None:
        """Before any costly look at an unknown credential. Raises `RateLimited` after too many wrong ones."""
        if self._failures:
            since, count = self._failures.get(_site(address), (0.0, 0))
            self._refuse(since, count)

    def failed(self, address: str | None) -> None:
        """Count a wrong credential. Raises `RateLimited` when it is one too many."""
        if not self._most:
            return
        site, now = _site(address), time.monotonic()
        since, count = self._failures.pop(site, (now, 0))
        if now - since >= _WINDOW:
            since, count = now, 0
        while len(self._failures) >= _MOST:
            del self._failures[next(iter(self._failures))]
        self._failures[site] = (since, count + 1)
        self._refuse(since, count)

    def _refuse(self, since: float, count: int) -> None:
        left = since + _WINDOW - time.monotonic()
        if count >= self._most and left > 0:
            seconds = int(left) + 1
            raise RateLimited(
                f"Too many wrong credentials came from your address. Try again in {seconds} s.",
                code="too_many_failures",
                headers=[(b"retry-after", str(seconds).encode())],
            )


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
