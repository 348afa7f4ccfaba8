"""Notes which thresholds budgets reach, and sweeps away the reservations of settled calls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select, tuple_

from gateway.rounds import Rounds
from gateway.store.calls import rfc3339
from gateway.store.notices import notice, post
from gateway.store.upsert import insert_into
from gateway_budgets.amount import shown
from gateway_budgets.tables import alerts, holds, lines, spending

if TYPE_CHECKING:
    import logging

    from gateway.store import Database
    from gateway_budgets.book import Book, Entry

_PAUSE: Final = 2.0
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

    def touch_all(self) -> None:
        """Look at every budget next time."""
        now = time.time()
        self._touched.update((entry.id, entry.period(now).start) for entry in self._book)

    async def look(self) -> None:
        """Note what has reached a threshold. Raises `Unavailable`; then the same is looked at again."""
        if not self._touched:
            return
        touched = sorted(self._touched)
        self._touched.clear()
        entries = {entry.id: entry for entry in self._book}
        try:
            for place in range(0, len(touched), _AT_ONCE):
                await self._note(touched[place : place + _AT_ONCE], entries)
        except BaseException:
            self._touched.update(touched)
            raise

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
        reached = [
            (entry, row.start, threshold, row.spent)
            for row in rows
            if (entry := entries.get(row.budget)) is not None and entry.amount is not None
            for threshold in self._thresholds
            if row.spent * 100 >= entry.amount * threshold
        ]
        if not reached:
            return
        known = select(alerts.c.budget, alerts.c.start, alerts.c.threshold)
        known = known.where(tuple_(alerts.c.budget, alerts.c.start).in_(which))
        async with self._database.connect() as connection:
            noted = {tuple(row) for row in await connection.execute(known)}
        for entry, start, threshold, spent in reached:
            if (entry.id, start, threshold) not in noted:
                await self._alert(entry, start, threshold, spent)

    async def _alert(self, entry: Entry, start: int, threshold: int, spent: int) -> None:
        async with self._database.begin() as connection:
            statement = (
                insert_into(connection, alerts)
                .values(
                    budget=entry.id,
                    start=start,
                    threshold=threshold,
                    tenant=entry.tenant,
                    amount=entry.amount,
                    spent=spent,
                    at=time.time(),
                )
                .on_conflict_do_nothing()
                .returning(alerts.c.threshold)
            )
            first = (await connection.execute(statement)).one_or_none() is not None
            if first:
                told = {
                    "budget": entry.id,
                    "scope": entry.scope,
                    "subject": entry.subject,
                    "period": entry.span,
                    "period_start": rfc3339(start),
                    "threshold_percent": threshold,
                    "spent_nano": spent,
                    "amount_nano": entry.amount,
                }
                of = (entry.id, start, threshold)
                whose = entry.subject if entry.scope == "user" else None
                made = notice("budget", *of, tenant=entry.tenant, user=whose, at=time.time(), data=told)
                await post(connection, made)
        if first:  # another worker may have been quicker
            self._log.warning(
                "%s of tenant %s: %d %% of the budget %s are reached: %s of %s credits (%s)",
                f"{entry.scope} {entry.subject}".strip(),
                entry.tenant,
                threshold,
                entry.id,
                shown(spent),
                shown(entry.amount or 0),
                entry.span,
            )
