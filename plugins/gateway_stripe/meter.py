"""Sends the meter events that are written down."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import stripe
from sqlalchemy import func, select, update

from gateway.errors import Unavailable
from gateway_stripe.metering import WINDOW_SECONDS
from gateway_stripe.sender import asking, described, is_passing
from gateway_stripe.tables import meter_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.store import Database
    from gateway_stripe.config import Meter

log = logging.getLogger("gateway.plugin.billing.stripe")

_SURE_SECONDS: Final = 23 * 3600.0
"""Stripe knows an identifier again for at least a day."""
_AT_ONCE: Final = 8
_MOST: Final = 200


class Sending:
    """Sends pending events, each under its identifier until Stripe has answered."""

    def __init__(self, meter: Meter, database: Database, client: stripe.StripeClient) -> None:
        self._meter = meter
        self._database = database
        self._client = client
        self._made = False

    async def send(self) -> int:
        """Send all pending events; return how many Stripe has taken.

        Raises `Unavailable` when Stripe cannot be reached, is busy, or does not take the key; what is left stays pending.
        """
        sent = 0
        while rows := await self._pending():
            if not self._made:
                await self.make_meter()
            gate = asyncio.Semaphore(_AT_ONCE)
            results = await asyncio.gather(*(self._one(row, gate) for row in rows), return_exceptions=True)
            sent += sum(result is True for result in results)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        return sent

    async def make_meter(self) -> bool:
        """Make the meter unless there is one; return whether that was so. Raises as `asking` does."""
        name = self._meter.event_name
        with asking("meters"):
            listed = await self._client.v1.billing.meters.list_async({"status": "active", "limit": 100})
            async for meter in listed.auto_paging_iter():
                if meter.event_name == name:
                    self._made = True
                    return False
            await self._client.v1.billing.meters.create_async(
                {
                    "display_name": self._meter.title,
                    "event_name": name,
                    "default_aggregation": {"formula": "sum"},
                    "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
                    "value_settings": {"event_payload_key": "value"},
                },
                {"idempotency_key": f"meter:{name}"},
            )
        self._made = True
        return True

    async def counts(self) -> Mapping[str, int]:
        """How many events there are in each status."""
        query = select(meter_events.c.status, func.count()).group_by(meter_events.c.status)
        async with self._database.connect() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def _pending(self) -> list[Any]:
        """Take a batch, note that it is tried, and sort out what must not be sent any more."""
        now, kept = time.time(), meter_events.c
        pending = kept.status == "pending"
        async with self._database.begin() as connection:
            late = update(meter_events).where(pending, kept.at < now - WINDOW_SECONDS)
            lost = (await connection.execute(late.values(status="late"))).rowcount
            # It may have arrived the first time, and by now Stripe might count it twice: a person must look.
            unsure = update(meter_events).where(pending, kept.tried_at < now - _SURE_SECONDS)
            lost += (await connection.execute(unsure.values(status="unsure"))).rowcount
            query = select(meter_events).where(pending).order_by(kept.at, kept.id).limit(_MOST)
            rows = list(await connection.execute(query))
            tried = update(meter_events).where(kept.id.in_([row.id for row in rows]), kept.tried_at.is_(None))
            await connection.execute(tried.values(tried_at=now))
        if lost:
            log.error("%d meter events are not sent any more: see `gateway stripe status`", lost)
        return rows

    async def _one(self, row: Any, gate: asyncio.Semaphore) -> bool:
        status, problem = "sent", None
        async with gate:
            try:
                await self._client.v1.billing.meter_events.create_async(
                    {
                        "event_name": self._meter.event_name,
                        "payload": {"stripe_customer_id": row.customer, "value": str(row.units)},
                        "identifier": row.id,
                        "timestamp": row.at,
                    },
                    {"idempotency_key": row.id},
                )
            except stripe.StripeError as error:
                if is_passing(error):
                    away = Unavailable("Stripe does not take meter events now.")
                    away.add_note(described(error))
                    raise away from None
                if not _is_duplicate(error):
                    status, problem = "refused", described(error)
                    log.error("Stripe refused meter event %s of tenant %s: %s", row.id, row.tenant, problem)  # noqa: TRY400 - the problem says it all
        async with self._database.begin() as connection:
            done = update(meter_events).where(meter_events.c.id == row.id)
            await connection.execute(done.values(status=status, problem=problem))
        return status == "sent"


def _is_duplicate(error: stripe.StripeError) -> bool:
    """Whether Stripe has the event from an earlier try, whose answer was lost."""
    return error.code == "duplicate_meter_event" or "already exists with identifier" in (
        error.user_message or ""
    )
