"""What pricing again adds to calls, counted in the usage of the periods in which they came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from gateway.store.tables import model_calls
from gateway.store.upsert import insert_into
from gateway_subscription.tables import subscriptions, usage

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.price_adjustments import Adjustment


class Adjuster:
    """`gateway.billing.Adjusts`: counts what calls cost more now, and takes off what they cost less.

    Calls that came before their tenant had a subscription stay out, as their charges do.
    """

    def __init__(self, authenticators: Collection[str] = ()) -> None:
        """`authenticators` are those whose callers need a subscription; all do where there are none."""
        self._authenticators = frozenset(authenticators)

    async def on_adjust(self, connection: AsyncConnection, adjustments: Sequence[Adjustment]) -> None:
        """Change what is used of each period. What was not counted is not taken off, so none falls below zero."""
        more: Counter[str] = Counter()
        for each in adjustments:
            more[each.call] += each.charge
        added: Counter[tuple[str, int]] = Counter()
        for place in await connection.execute(self._places(more)):
            if place.start is not None:
                added[place.subscription, place.start] += more[place.call]
        for (subscription, start), amount in sorted(added.items()):  # in the order of all who count
            row = {"subscription": subscription, "start": start, "spent": max(0, amount), "reserved": 0}
            sum_ = usage.c.spent + amount
            counted = insert_into(connection, usage).values(**row)
            keys = [usage.c.subscription, usage.c.start]
            kept = {"spent": case((sum_ > 0, sum_), else_=0)}
            await connection.execute(counted.on_conflict_do_update(index_elements=keys, set_=kept))

    def _places(self, calls: Collection[str]) -> Select[Any, Any, Any]:
        """In which period of which subscription calls came in: every period has its row from when it begins."""
        call, one = model_calls.c, subscriptions.c
        begun = select(func.max(usage.c.start)).where(
            usage.c.subscription == one.id, usage.c.start <= call.received_at
        )
        start = begun.correlate(subscriptions, model_calls).scalar_subquery()
        query = (
            select(call.id.label("call"), one.id.label("subscription"), start.label("start"))
            .join_from(model_calls, subscriptions, one.tenant == call.tenant)
            .where(call.id.in_(calls))
        )
        return query.where(call.authenticator.in_(self._authenticators)) if self._authenticators else query
