"""When keys were last used: noted in memory, written together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError
from gateway.store.key_feed import USED_SECONDS, note_used

if TYPE_CHECKING:
    import logging

    from gateway.store import Database


class Usage:
    """Writes `at`, the Unix seconds by key id, once a minute and at the end."""

    def __init__(self, database: Database, *, log: logging.Logger) -> None:
        self._database = database
        self._log = log
        self.at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_on(), name="apikey: note when keys were used")

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.write()

    async def write(self) -> None:
        """Write what was noted; a database that is away loses no more than that."""
        if not self.at:
            return
        used = dict(self.at)
        self.at.clear()
        try:
            await note_used(self._database, used)
        except (GatewayError, SQLAlchemyError) as error:
            self._log.warning("It could not be written when %s API keys were last used: %s", len(used), error)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(USED_SECONDS)
            await self.write()
