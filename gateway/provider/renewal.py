"""Credentials that expire: fetched once for all calls that wait, and some time before the old one ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from gateway.errors import ProviderError
from gateway.provider.credentials import Credential

_EARLY_SECONDS: Final = 300.0
"""So long before it expires, a credential is renewed; a short one after half of its life."""
_AGAIN_SECONDS: Final = 15.0
"""So long after it could not be renewed, it is tried again."""

T = TypeVar("T")


class Renewal(Generic[T]):
    """Renews one credential; `renew` is what `Credential` wants for this.

    `fetch` returns what is new and for how many seconds it is good, or raises `ProviderError`; `use` puts it into the
    credential.
    """

    def __init__(
        self, fetch: Callable[[], Coroutine[Any, Any, tuple[T, float]]], use: Callable[[Credential, T], None]
    ) -> None:
        self._fetch = fetch
        self._use = use
        self._fetching: asyncio.Task[tuple[T, float]] | None = None
        self._expires_at = 0.0

    async def renew(self, credential: Credential) -> None:
        """Set what is new. Raises `ProviderError` when there is none, and the old one is no good any more."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(_note_error)
        try:
            new, seconds = await asyncio.shield(self._fetching)
        except ProviderError:
            now = time.monotonic()
            if now >= self._expires_at:
                raise
            credential.renews_at = now + _AGAIN_SECONDS
            return
        now = time.monotonic()
        self._use(credential, new)
        credential.renews_at = now + max(seconds - _EARLY_SECONDS, seconds / 2)
        self._expires_at = now + seconds


def _note_error(fetching: asyncio.Task[Any]) -> None:
    """Have it known that an error was seen, also when everybody who waited for it has gone."""
    if not fetching.cancelled():
        fetching.exception()
