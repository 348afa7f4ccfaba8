"""Work that is done again and again beside calls, for as long as the gateway runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from typing import Final

from gateway.errors import GatewayError, Unavailable

_GRACE: Final = 2.0
"""Seconds that a round has to end by itself: one that is cancelled may leave a connection behind that is being opened."""


class Rounds(ABC):
    """Base class of whoever does something every `pause` seconds: right from the start, or only after a first pause.

    Each worker goes round; what only one of them may do takes its turn by a row of the database, as
    `gateway.store.tickets` does. A round that fails is logged, and the next one tries again.
    """

    def __init__(self, name: str, *, pause: float, log: logging.Logger, at_once: bool = True) -> None:
        """`name` says who works, in logs and debuggers."""
        self._name = name
        self._pause = pause
        self._log = log
        self._at_once = at_once
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def go_round(self) -> None:
        """Do what is due. May raise whatever it likes; a long one looks at `stopping` now and then."""

    @property
    def stopping(self) -> bool:
        """Whether the gateway waits for this round to end."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._stopping = asyncio.Event()  # an event belongs to the loop that waited for it first
        self._task = asyncio.get_running_loop().create_task(self._go_on(), name=self._name)

    async def stop(self) -> None:
        """End; a round that takes long is broken off."""
        if self._task is not None:
            self._stopping.set()
            _, late = await asyncio.wait({self._task}, timeout=_GRACE)
            if late:
                self._task.cancel()
                await asyncio.wait(late)
            self._task = None

    async def _go_on(self) -> None:
        if not self._at_once:
            await self._wait()
        while not self.stopping:
            try:
                await self.go_round()
            except Unavailable:
                pass  # the journal says that the database is away, and when it is back
            except GatewayError as error:
                self._log.warning("%s, trying again in %g s: %s", self._name, self._pause, error.message)
            except Exception:  # noqa: BLE001 - logged; the next round tries again
                self._log.exception("%s has failed, trying again in %g s", self._name, self._pause)
            await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._pause)
