"""Nonces that were used, known to all workers. Those of requests that come together share one statement."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Final

from gateway.errors import AuthenticationFailed, Unavailable

if TYPE_CHECKING:
    from gateway.store.tickets import Tickets

_MOST: Final = 20_000
_PATIENCE: Final = 5.0


class Nonces:
    """Spends nonces, once each. What this worker has seen is refused without asking the database."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets
        self._seen: dict[str, float] = {}
        self._waiting: dict[str, tuple[float, asyncio.Future[bool]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def spend(self, nonce: str, *, until: float) -> None:
        """Use a nonce up. Raises `AuthenticationFailed` when it was, `Unavailable` when that cannot be told."""
        now = time.time()
        if self._seen.get(nonce, 0.0) > now or nonce in self._waiting:
            raise _replayed()
        done = asyncio.get_running_loop().create_future()
        self._waiting[nonce] = until, done
        if self._task is None:
            self._task = asyncio.create_task(self._write(), name="component: spend nonces")
        if not await done:
            raise _replayed()

    async def stop(self) -> None:
        """Finish what is being written."""
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                try:
                    async with asyncio.timeout(
                        _PATIENCE
                    ):  # once for all: a timer for each costs more than the nonce
                        fresh = await self._tickets.spend_all(
                            {nonce: until for nonce, (until, _) in batch.items()}
                        )
                except TimeoutError:
                    problem = (
                        "The gateway cannot check this signature now, because its database does not answer."
                    )
                    _answer_all(batch, Unavailable(problem, headers=[(b"retry-after", b"1")]))
                    continue
                except Exception as error:  # noqa: BLE001 - told to everybody who waits, who then refuses
                    _answer_all(batch, error)
                    continue
                self._remember(batch)
                for nonce, (_, done) in batch.items():
                    if not done.done():
                        done.set_result(nonce in fresh)
        finally:
            self._task = None

    def _remember(self, batch: dict[str, tuple[float, asyncio.Future[bool]]]) -> None:
        if len(self._seen) > _MOST:
            now = time.time()
            self._seen = {nonce: until for nonce, until in self._seen.items() if until > now}
        if len(self._seen) <= _MOST:
            self._seen.update((nonce, until) for nonce, (until, _) in batch.items())


def nonce_of(key_id: str, nonce: str) -> str:
    """The name under which a key's nonce is kept."""
    return hashlib.sha256(f"{key_id}\n{nonce}".encode()).hexdigest()


def _answer_all(batch: dict[str, tuple[float, asyncio.Future[bool]]], error: Exception) -> None:
    for _, done in batch.values():
        if not done.done():
            done.set_exception(error)


def _replayed() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The signature of this request is refused: its nonce was used before.", code="invalid_signature"
    )
