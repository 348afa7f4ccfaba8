"""Thresholds that budgets reach: noted once in each period, told to sinks, and logged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gateway.store.calls import rfc3339
from gateway.store.notices import notice, post
from gateway.store.upsert import insert_into
from gateway_budgets.amount import shown
from gateway_budgets.tables import alerts

if TYPE_CHECKING:
    import logging

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway_budgets.book import Entry


class Reached(NamedTuple):
    """A threshold of a budget, and what is spent of it in the period from `start` (Unix seconds) on."""

    entry: Entry
    start: int
    threshold: int
    """Per cent."""
    spent: int

    @property
    def over(self) -> bool:
        """Whether that period has ended."""
        return self.entry.period(self.start).end <= time.time()


def reached(
    entry: Entry, start: int, spent: int, thresholds: Sequence[int], *, before: int = -1
) -> list[Reached]:
    """Which thresholds lie above what was spent `before`, and not above what is now."""
    if entry.amount is None:
        return []
    return [
        Reached(entry, start, threshold, spent)
        for threshold in thresholds
        if before * 100 < entry.amount * threshold <= spent * 100
    ]


async def note(connection: AsyncConnection, one: Reached) -> bool:
    """Note a threshold, and tell sinks, within a transaction; False where that was done before."""
    entry, now = one.entry, time.time()
    row = {"budget": entry.id, "start": one.start, "threshold": one.threshold, "tenant": entry.tenant}
    statement = insert_into(connection, alerts).values(**row, amount=entry.amount, spent=one.spent, at=now)
    first = statement.on_conflict_do_nothing().returning(alerts.c.threshold)
    if (await connection.execute(first)).one_or_none() is None:
        return False
    told = {
        "budget": entry.id,
        "scope": entry.scope,
        "subject": entry.subject,
        "period": entry.span,
        "period_start": rfc3339(one.start),
        "period_over": one.over,
        "threshold_percent": one.threshold,
        "spent_nano": one.spent,
        "amount_nano": entry.amount,
    }
    of = (entry.id, one.start, one.threshold)
    whose = entry.subject if entry.scope == "user" else None
    await post(connection, notice("budget", *of, tenant=entry.tenant, user=whose, at=now, data=told))
    return True


def log_reached(log: logging.Logger, one: Reached) -> None:
    """Warn who reads the log."""
    entry = one.entry
    log.warning(
        "%s of tenant %s: %d %% of the budget %s are reached: %s of %s credits (%s)",
        f"{entry.scope} {entry.subject}".strip(),
        entry.tenant,
        one.threshold,
        entry.id,
        shown(one.spent),
        shown(entry.amount or 0),
        f"{entry.span} of {rfc3339(one.start)}, which is over" if one.over else entry.span,
    )
