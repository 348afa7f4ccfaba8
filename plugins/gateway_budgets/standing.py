"""How budgets stand: what of them is spent, and what is reserved for calls under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select, tuple_

from gateway_budgets.period import ALL_OF_TIME, Period
from gateway_budgets.tables import alerts, spending

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway_budgets.book import Entry

_AT_ONCE = 200


class Standing(Struct, frozen=True, kw_only=True):
    """A budget in one of its periods. Amounts are in 10⁻⁹ credit."""

    entry: Entry
    period: Period
    spent: int
    reserved: int
    alerts: tuple[int, ...]
    """Thresholds in per cent that were reached, lowest first."""

    @property
    def left(self) -> int:
        """What calls may still cost; never below 0."""
        return max(0, (self.entry.amount or 0) - self.spent - self.reserved)

    @property
    def span(self) -> tuple[int | None, int | None]:
        """Begin and end of the period, Unix seconds; None for what never begins and ends."""
        return (None, None) if self.period == ALL_OF_TIME else self.period


async def standings(database: Database, entries: Sequence[Entry], at: float) -> list[Standing]:
    """How these budgets stand in the periods in which `at` (Unix seconds) lies, in their order."""
    found: list[Standing] = []
    for place in range(0, len(entries), _AT_ONCE):
        found += await _standings(database, entries[place : place + _AT_ONCE], at)
    return found


async def _standings(database: Database, entries: Sequence[Entry], at: float) -> list[Standing]:
    which = [(entry.id, entry.period(at).start) for entry in entries]
    counted: dict[tuple[str, int], tuple[int, int]] = {}
    reached: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    async with database.connect() as connection:
        query = select(spending).where(tuple_(spending.c.budget, spending.c.start).in_(which))
        for row in await connection.execute(query):
            counted[row.budget, row.start] = row.spent, row.reserved
        query = select(alerts.c.budget, alerts.c.start, alerts.c.threshold)
        query = query.where(tuple_(alerts.c.budget, alerts.c.start).in_(which))
        for row in await connection.execute(query):
            reached[row.budget, row.start].append(row.threshold)
    return [
        Standing(
            entry=entry,
            period=entry.period(at),
            spent=counted.get(key, (0, 0))[0],
            reserved=counted.get(key, (0, 0))[1],
            alerts=tuple(sorted(reached[key])),
        )
        for entry, key in zip(entries, which, strict=True)
    ]
