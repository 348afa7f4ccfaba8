"""Catching up with Stripe, without waiting for its webhooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from gateway.errors import InvalidRequest
from gateway.store.tables import model_calls
from gateway_stripe.errors import NotOurs, Refused
from gateway_stripe.events import Event
from gateway_stripe.metering import WINDOW_SECONDS, Usage
from gateway_stripe.orders import end_order, find_order, orders_since
from gateway_stripe.sender import NotAtStripe, asking
from gateway_stripe.tables import customers, events, meter_events, orders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gateway_stripe.office import Office
    from gateway_stripe.orders import Order

_DAY: Final = 86_400.0
_BATCH: Final = 500


class Report(msgspec.Struct):
    """What catching up has done."""

    orders: int = 0
    subscriptions: int = 0
    calls: int = 0
    """Put into meter events, that were in none."""
    meter_events: int = 0
    """Sent."""
    problems: list[str] = msgspec.field(default_factory=list[str])


async def sync(office: Office, *, days: float, backfill_days: float | None = None) -> Report:
    """Look up the orders of so many days, all subscriptions, and send what usage is left.

    `backfill_days` also reports calls of that time which were never metered. Raises as `asking` does.
    """
    report, now = Report(), time.time()
    for order in await orders_since(office.database, now - days * _DAY):
        try:
            await _look_up(office, order, now)
        except (Refused, NotOurs, NotAtStripe) as error:
            report.problems.append(f"order {order.id} of {order.tenant}: {error}")
        report.orders += 1
    async with office.database.connect() as connection:
        found = (await connection.execute(select(customers.c.id))).scalars().all()
    for customer in found:
        try:
            report.subscriptions += await office.subscriptions.refresh_all(customer)
        except NotAtStripe as error:
            report.problems.append(f"customer {customer}: {error}")
    if office.metering is not None and office.sending is not None:
        if backfill_days is not None:
            report.calls = await _backfill(office, now - min(backfill_days * _DAY, WINDOW_SECONDS - _DAY))
        report.meter_events = await office.sending.send()
    return report


async def replay(office: Office, *, since: float, again: bool = False) -> Mapping[str, int]:
    """Handle the events that Stripe lists since then, oldest first; return how many ended how. Raises as `asking` does."""
    with asking("events"):
        listed = await office.client.v1.events.list_async({"created": {"gte": int(since)}, "limit": 100})
        found = [msgspec.convert(event.to_dict(), Event) async for event in listed.auto_paging_iter()]
    outcomes: dict[str, int] = {}
    for event in reversed(found):
        outcome = await office.events.handle(event, again=again)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


async def refund(office: Office, order_id: str, amount: int | None) -> Order:
    """Pay an order back, or a part of it in the currency's smallest unit. Raises `InvalidRequest`, and as `asking` does."""
    order = await find_order(office.database, order_id)
    if order is None or order.payment is None:
        raise InvalidRequest(
            f"Nothing that can be paid back was paid under {order_id!r}.", status=404, code="not_found"
        )
    with asking("refund"):
        params: Any = {"payment_intent": order.payment}
        if amount is not None:
            params["amount"] = amount
        await office.client.v1.refunds.create_async(params)
    await office.reversals.refunds_of(order.payment)
    return await find_order(office.database, order_id) or order


async def status(office: Office) -> dict[str, Any]:
    """Tell how things stand, from our own tables alone."""
    async with office.database.connect() as connection:
        by_status = select(orders.c.status, func.count()).group_by(orders.c.status)
        by_outcome = select(events.c.outcome, func.count()).group_by(events.c.outcome)
        refused = select(events).where(events.c.outcome == "refused")
        last = await connection.scalar(select(func.max(events.c.handled_at)))
        stuck = select(meter_events).where(meter_events.c.status.in_(("refused", "late", "unsure"))).limit(20)
        return {
            "orders": _counts(await connection.execute(by_status)),
            "events": _counts(await connection.execute(by_outcome)),
            "last_event_at": last,
            "refused_events": [
                {"id": row.id, "type": row.type, "object": row.object, "problem": row.problem}
                for row in await connection.execute(refused.order_by(events.c.handled_at.desc()).limit(20))
            ],
            "meter_events": {} if office.sending is None else dict(await office.sending.counts()),
            "stuck_meter_events": [
                {
                    "id": row.id,
                    "tenant": row.tenant,
                    "units": row.units,
                    "status": row.status,
                    "problem": row.problem,
                }
                for row in await connection.execute(stuck.order_by(meter_events.c.at))
            ],
        }


async def _look_up(office: Office, order: Order, now: float) -> None:
    if order.session is None and order.status == "open":
        if order.created_at < now - _DAY:  # Stripe never answered
            await end_order(office.database, order, "failed", problem="it has no page to be paid at")
        return
    if order.session is not None and order.status != "paid":
        await office.payments.settle(order.session)
    settled = await find_order(office.database, order.id)
    if settled is not None and settled.payment is not None:
        await office.reversals.refunds_of(settled.payment)
        await office.reversals.disputes_of(settled.payment)


async def _backfill(office: Office, since: float) -> int:
    """Claim all settled calls that ended since then; those that were claimed before are left out."""
    assert office.metering is not None
    call, after, count = model_calls.c, "", 0
    while True:
        query = (
            select(call.id, call.tenant, call.charge, call.ended_at)
            .where(call.id > after, call.ended_at >= since, call.charge > 0)
            .order_by(call.id)
            .limit(_BATCH)
        )
        async with office.database.connect() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return count
        after = rows[-1].id
        count += await office.metering.claim(
            Usage(row.id, row.tenant, row.charge, row.ended_at) for row in rows
        )


def _counts(rows: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}
