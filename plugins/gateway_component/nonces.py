"""Nonces that were used, known to all workers. They are written together with the rows of calls, in the same commit."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Final

from gateway.errors import AuthenticationFailed
from gateway.rounds import Rounds
from gateway.store import Write
from gateway.store.tickets import spending, sweep

if TYPE_CHECKING:
    from gateway.plugin import Context

log = logging.getLogger("gateway.component")

_PURPOSE: Final = "component-nonce"
_MOST: Final = 10_000
_SWEEP_SECONDS: Final = 60.0


class Nonces(Rounds):
    """Spends nonces, once each. What this worker has seen lately is refused without asking the database.

    What has expired is taken away every minute.
    """

    def __init__(self, context: Context) -> None:
        super().__init__("component: forget nonces", pause=_SWEEP_SECONDS, log=log, at_once=False)
        self._context = context
        self._seen: dict[bytes, float] = {}
        self._seen_before: dict[bytes, float] = {}

    async def spend(self, nonce: bytes, *, until: float) -> None:
        """Use a nonce up, until then (Unix seconds).

        Raises `AuthenticationFailed` when it was, `Unavailable` when that cannot be told.
        """
        seen = self._seen.get(nonce) or self._seen_before.get(nonce)
        if seen is not None and seen > time.time():
            raise _replayed()
        try:
            await self._context.write((Write(_SPEND, (_PURPOSE, nonce, until)),))
        except AuthenticationFailed:
            self._remember(nonce, until)
            raise
        self._remember(nonce, until)

    def _remember(self, nonce: bytes, until: float) -> None:
        """Keep it for as long as there are `_MOST` later ones at least."""
        if len(self._seen) >= _MOST:
            self._seen, self._seen_before = {}, self._seen
        self._seen[nonce] = until

    async def go_round(self) -> None:
        """Take away what has expired. Raises `Unavailable`."""
        await sweep(self._context.database)


def nonce_of(key_id: str, nonce: str, created: int) -> bytes:
    """The name under which a key's nonce is kept for signatures that were made then (Unix seconds)."""
    return named(f"{key_id}\n{nonce}".encode(), created)


def named(what: bytes, made: int) -> bytes:
    """The name of what is used once: in the order of time, so that neighbours in the database are written together."""
    return made.to_bytes(8, "big") + hashlib.sha256(what).digest()[:24]


def _replayed() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The signature of this request is refused: its nonce was used before.", code="invalid_signature"
    )


_SPEND: Final = spending(_replayed)
