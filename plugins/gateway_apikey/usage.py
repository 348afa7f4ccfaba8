"""When keys were last used: noted in memory, written together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError
from gateway.rounds import Rounds
from gateway.store.key_feed import USED_SECONDS, note_used

if TYPE_CHECKING:
    import logging

    from gateway.store import Database


class Usage(Rounds):
    """Writes `at`, the Unix seconds by key id, once a minute and at the end."""

    def __init__(self, database: Database, *, log: logging.Logger) -> None:
        super().__init__("apikey: note when keys were used", pause=USED_SECONDS, log=log, at_once=False)
        self._database = database
        self.at: dict[str, float] = {}

    async def stop(self) -> None:
        """Write what is left."""
        await super().stop()
        await self.go_round()

    async def go_round(self) -> None:
        """Write what was noted; a database that is away loses no more than that."""
        if not self.at:
            return
        used = dict(self.at)
        self.at.clear()
        try:
            await note_used(self._database, used)
        except (GatewayError, SQLAlchemyError) as error:
            self._log.warning("It could not be written when %s API keys were last used: %s", len(used), error)
