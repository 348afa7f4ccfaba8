"""What pricing again adds to calls, counted in the budgets where the calls were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import case, select

from gateway.store.tables import model_calls
from gateway.store.upsert import insert_into
from gateway.types import Principal
from gateway_budgets.alerting import log_reached, note, reached
from gateway_budgets.book import Book
from gateway_budgets.tables import spending

if TYPE_CHECKING:
    import logging

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database
    from gateway.store.price_adjustments import Adjustment
    from gateway_budgets.book import Entry


class Adjuster:
    """`gateway.billing.Adjusts`: counts what calls cost more now, and takes off what they cost less.

    That is in the budgets that hold for such a call today and were there when it ended, in the period in which it came in.
    Which thresholds they reach by that is noted with it.
    """

    def __init__(
        self,
        database: Database,
        currencies: Mapping[str, Decimal],
        thresholds: Sequence[int],
        *,
        log: logging.Logger,
    ) -> None:
        """`thresholds` are per cent of a budget."""
        self._database = database
        self._currencies = currencies
        self._thresholds = sorted(set(thresholds))
        self._log = log

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        """Change the counters. What memberships and budgets of keys were then is not known, so none falls below zero."""
        more: Counter[str] = Counter()
        for each in adjustments:
            more[each.call] += each.charge
        columns = (
            "id",
            "tenant",
            "user",
            "key",
            "model",
            "provider",
            "upstream_model",
            "received_at",
            "ended_at",
        )
        query = select(*(model_calls.c[name] for name in columns)).where(model_calls.c.id.in_(more))
        calls = (await connection.execute(query)).all()
        book = Book(self._database, self._currencies)
        await book.read_for(connection, calls)
        added: Counter[tuple[str, int]] = Counter()
        entries: dict[str, Entry] = {}
        for call in calls:
            principal = Principal(tenant=call.tenant, authenticator="", user=call.user, key=call.key)
            for entry in book.of(principal, (call.model, f"{call.provider}/{call.upstream_model}")):
                if entry.since <= call.ended_at:
                    entries[entry.id] = entry
                    added[entry.id, entry.period(call.received_at).start] += more[call.id]
        for (budget, start), amount in sorted(added.items()):  # in the order of all who count
            await self._count(connection, entries[budget], start, amount)

    async def _count(self, connection: AsyncConnection, entry: Entry, start: int, amount: int) -> None:
        sum_ = spending.c.spent + amount
        row = {"budget": entry.id, "start": start, "spent": max(0, amount), "reserved": 0}
        counted = insert_into(connection, spending).values(**row)
        keys = [spending.c.budget, spending.c.start]
        kept = {"spent": case((sum_ > 0, sum_), else_=0)}
        counted = counted.on_conflict_do_update(index_elements=keys, set_=kept)
        spent = (await connection.execute(counted.returning(spending.c.spent))).scalar_one()
        for one in reached(entry, start, spent, self._thresholds, before=spent - amount):
            if await note(connection, one):
                log_reached(self._log, one)
