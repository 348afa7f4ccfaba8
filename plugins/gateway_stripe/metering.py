"""Meter events: what tenants are charged, told to Stripe once, whatever breaks on the way.

A batch of calls is claimed in one transaction, which writes the events that tell of it with the identifiers by which
Stripe knows them; only then are they sent. Whatever is sent again is sent under the same identifier.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from gateway.store.random_ids import new_id
from gateway.store.upsert import insert_into
from gateway_stripe.config import nano_of
from gateway_stripe.tables import customers, meter_events, metered_calls

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database
    from gateway_stripe.config import Meter
    from gateway_stripe.meter import Sending

WINDOW_SECONDS: Final = 35 * 86_400
"""For how long Stripe takes usage after the fact."""
_HOUR: Final = 3600


class Usage(Struct, frozen=True):
    """What a call, or an adjustment of its charge, adds to the meter."""

    call: str
    """Its id, or that of the notice of the adjustment."""
    tenant: str
    nano: int
    """In 10⁻⁹ credit; negative where a call was charged too much."""
    at: float


class Metering:
    """`gateway.protocols.Sink` and `gateway.billing.TakesNotices`: takes settled calls and adjustments from the outbox."""

    def __init__(self, name: str, meter: Meter, database: Database, sending: Sending) -> None:
        self.name = name
        self._unit = nano_of(meter.unit)
        self._database = database
        self._sending = sending

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Claim the calls, and send what there is to send. Raises as `Sending.send` does."""
        await self.claim(
            Usage(record["id"], record["tenant"], record["charge_nano"], _seconds(record["ended_at"]))
            for record in records
            if record["charge_nano"]
        )
        await self._sending.send()

    async def deliver_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        """Claim the adjustments of calls that were metered, as usage of when they were made. Raises as `deliver` does.

        Stripe takes negative quantities; below zero in all, a period counts as nothing used.
        """
        made = [each for each in notices if each["kind"] == "adjustment" and each["data"]["charge_nano"]]
        metered = await self._metered(made)
        await self.claim(
            Usage(each["id"], each["tenant"], each["data"]["charge_nano"], _seconds(each["time"]))
            for each in made
            if each["data"]["call"] in metered
        )
        await self._sending.send()

    async def _metered(self, adjustments: Sequence[Mapping[str, Any]]) -> set[str]:
        """Those of their calls that were reported, or may have been so long ago that nobody remembers."""
        tenants = {each["tenant"] for each in adjustments}
        calls = [each["data"]["call"] for each in adjustments]
        async with self._database.connect() as connection:
            query = select(customers.c.tenant, customers.c.created_at).where(customers.c.tenant.in_(tenants))
            since = {row.tenant: row.created_at for row in await connection.execute(query)}
            claimed = select(metered_calls.c.call).where(metered_calls.c.call.in_(calls))
            known = set((await connection.execute(claimed)).scalars())
        return known | {
            each["data"]["call"]
            for each in adjustments
            if each["tenant"] in since and _seconds(each["data"]["received_at"]) >= since[each["tenant"]]
        }

    async def claim(self, usage: Iterable[Usage]) -> int:
        """Write the events of calls that are in none; return how many calls that were.

        Calls of tenants that are no customers stay out: they may be reported once they are.
        """
        found = [each for each in usage if each.nano]
        if not found:
            return 0
        async with self._database.begin() as connection:
            of = await _lock(connection, {each.tenant for each in found})
            new = await _unclaimed(connection, [each for each in found if each.tenant in of])
            by_hour: dict[tuple[str, int], list[Usage]] = defaultdict(list)
            for each in new:
                by_hour[each.tenant, int(each.at) // _HOUR].append(each)
            remainders = {tenant: remainder for tenant, (_, remainder) in of.items()}
            for (tenant, _), together in sorted(by_hour.items()):
                nano = sum(each.nano for each in together) + remainders[tenant]
                units, remainders[tenant] = divmod(nano, self._unit)
                if units:
                    event = _event(tenant, of[tenant][0], units, max(each.at for each in together))
                    await connection.execute(insert(meter_events).values(event))
            for tenant in {each.tenant for each in new}:
                kept = update(customers).where(customers.c.tenant == tenant)
                await connection.execute(kept.values(remainder=remainders[tenant]))
            old = time.time() - WINDOW_SECONDS - 86_400
            await connection.execute(delete(metered_calls).where(metered_calls.c.at < old))
        return len(new)


def _event(tenant: str, customer: str, units: int, at: float) -> dict[str, Any]:
    return {
        "id": new_id("mev_"),
        "tenant": tenant,
        "customer": customer,
        "units": units,
        "at": int(at),
        "status": "pending",
    }


async def _lock(connection: AsyncConnection, tenants: set[str]) -> dict[str, tuple[str, int]]:
    """The customer and the remainder of each tenant that is one; nobody else changes them until the commit."""
    query = select(customers).where(customers.c.tenant.in_(tenants)).order_by(customers.c.tenant)
    rows = await connection.execute(query.with_for_update())
    return {row.tenant: (row.id, row.remainder) for row in rows}


async def _unclaimed(connection: AsyncConnection, usage: Sequence[Usage]) -> list[Usage]:
    if not usage:
        return []
    rows = [{"call": each.call, "at": each.at} for each in usage]
    claim = insert_into(connection, metered_calls).values(rows).on_conflict_do_nothing()
    new = set((await connection.execute(claim.returning(metered_calls.c.call))).scalars())
    return [each for each in usage if each.call in new]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
