"""Notes which thresholds budgets reach, and sweeps away the reservations of settled calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select, tuple_

from gateway.rounds import Rounds
from gateway_budgets.alerting import log_reached, note, reached
from gateway_budgets.tables import alerts, holds, lines, spending

if TYPE_CHECKING:
    import logging

    from gateway.store import Database
    from gateway_budgets.alerting import Reached
    from gateway_budgets.book import Book, Entry

_PAUSE: Final = 2.0
_WRITTEN_SECONDS: Final = 10.0
"""For how long a touched budget is looked at: its call is written a while after it has ended."""
_AT_ONCE: Final = 200
_SWEPT: Final = 1000


class Watch(Rounds):
    """Looks every two seconds at the budgets in `touched`, which whoever counts adds to."""

    def __init__(
        self,
        database: Database,
        book: Book,
        touched: set[tuple[str, int]],
        thresholds: Sequence[int],
        *,
        log: logging.Logger,
    ) -> None:
        super().__init__("budgets: watch", pause=_PAUSE, log=log)
        self._database = database
        self._book = book
        self._touched = touched
        self._thresholds = sorted(set(thresholds))
        self._watched: dict[tuple[str, int], float] = {}
        """The budgets that are looked at, and until when by the monotonic clock."""

    def touch_all(self) -> None:
        """Look at every budget next time."""
        now = time.time()
        self._touched.update((entry.id, entry.period(now).start) for entry in self._book)

    async def look(self) -> None:
        """Note what has reached a threshold. Raises `Unavailable`; then the same is looked at again."""
        now = time.monotonic()
        self._watched.update(dict.fromkeys(self._touched, now + _WRITTEN_SECONDS))
        self._touched.clear()
        watched = sorted(self._watched)
        entries = {entry.id: entry for entry in self._book}
        for place in range(0, len(watched), _AT_ONCE):
            await self._note(watched[place : place + _AT_ONCE], entries)
        self._watched = {each: until for each, until in self._watched.items() if until > now}

    async def sweep(self) -> int:
        """Delete up to a thousand reservations of settled calls; return how many there were. Raises `Unavailable`."""
        async with self._database.begin() as connection:
            query = select(holds.c.call).where(holds.c.status == "settled").limit(_SWEPT)
            settled = [*(await connection.execute(query)).scalars()]
            if settled:
                await connection.execute(delete(lines).where(lines.c.call.in_(settled)))
                await connection.execute(delete(holds).where(holds.c.call.in_(settled)))
        return len(settled)

    async def go_round(self) -> None:
        """Look, and sweep. Raises `Unavailable`."""
        await self.look()
        while await self.sweep() == _SWEPT:
            pass

    async def _note(self, which: Sequence[tuple[str, int]], entries: dict[str, Entry]) -> None:
        query = select(spending).where(tuple_(spending.c.budget, spending.c.start).in_(which))
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        found = [
            one
            for row in rows
            if (entry := entries.get(row.budget)) is not None
            for one in reached(entry, row.start, row.spent, self._thresholds)
        ]
        if not found:
            return
        known = select(alerts.c.budget, alerts.c.start, alerts.c.threshold)
        known = known.where(tuple_(alerts.c.budget, alerts.c.start).in_(which))
        async with self._database.connect() as connection:
            noted = {tuple(row) for row in await connection.execute(known)}
        for one in found:
            if (one.entry.id, one.start, one.threshold) not in noted:
                await self._alert(one)

    async def _alert(self, one: Reached) -> None:
        async with self._database.begin() as connection:
            first = await note(connection, one)
        if first:  # another worker may have been quicker
            log_reached(self._log, one)
