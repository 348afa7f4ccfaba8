"""Calls that try a credential cost the provider something and tell whether a secret is good: only so many a minute."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from gateway.errors import RateLimited
from gateway.store.tickets import Tickets

if TYPE_CHECKING:
    from gateway.store import Database

PER_MINUTE: Final = 10
"""For each tenant, over all workers."""
_MINUTE: Final = 60


async def throttle(database: Database, tenant: str) -> None:
    """Count one call that tries a credential. Raises `RateLimited` when it is one too many."""
    tickets, now = Tickets(database, "credential-check"), time.time()
    left = _MINUTE - now % _MINUTE
    for number in range(PER_MINUTE):
        if await tickets.spend(f"{tenant} {now // _MINUTE:.0f} {number}", seconds=left):
            return
    seconds = int(left) + 1
    raise RateLimited(
        f"Credentials may be tried {PER_MINUTE} times a minute. Try again in {seconds} s.",
        headers=[(b"retry-after", str(seconds).encode())],
    )
