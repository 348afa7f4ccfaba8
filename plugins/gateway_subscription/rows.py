"""Subscriptions as rows: one for each tenant, with what it has cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs
from sqlalchemy import insert, select, update

from gateway.doors import Standing
from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import Expected, bump, check_expected
from gateway.store.random_ids import new_id
from gateway.store.structs import many, one, page
from gateway.store.tenants import TenantSettings, change_tenant, get_tenant
from gateway.store.upsert import insert_into
from gateway_subscription.course import (
    SERVED,
    Charge,
    State,
    Step,
    advanced,
    begun,
    changed,
    ended,
    may_change_at_once,
)
from gateway_subscription.following import followed, is_older, taken_over
from gateway_subscription.plans import Plan, Plans
from gateway_subscription.tables import charges, subscriptions, usage

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store import Database
    from gateway_subscription.recounting import Recounter

REVISION: Final = "subscriptions"
CLOCK: Final = Actor(kind="gateway", id="billing.subscription")
"""Who renews."""


class Row(State, frozen=True, kw_only=True):
    """A row of `subscriptions`. Times are Unix seconds."""

    id: str
    tenant: str
    told_at: float | None = None
    created_at: float
    updated_at: float
    revision: int


class ChargeRow(Charge, frozen=True, kw_only=True):
    """A row of `subscription_charges`."""

    id: str
    subscription: str
    tenant: str
    created_at: float


async def subscribe(
    database: Database, plans: Plans, tenant: str, plan_id: str, *, seats: int = 1, actor: Actor
) -> Row:
    """Begin a subscription, or another one where the last has ended; only the first has a trial.

    Raises `InvalidRequest`: 404 for a tenant or plan that is not there, 409 for a tenant that has a subscription.
    """
    plan = plans.checked(plan_id, seats)
    await get_tenant(database, tenant)
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _find(connection, tenant)
        if before is not None and before.served:
            raise InvalidRequest(
                f"The tenant {tenant!r} has a subscription already: change that one.",
                status=409,
                code="conflict",
            )
        state, costs = begun(plan_id, plan, seats, int(now), trial=before is None)
        row = Row(
            **structs.asdict(state),
            id=new_id("sub_") if before is None else before.id,
            tenant=tenant,
            created_at=now if before is None else before.created_at,
            updated_at=now,
            revision=revision,
        )
        await _store(connection, row, new=before is None)
        await _note(connection, row, costs)
        await record(connection, actor, "subscription.create", row.id, tenant=tenant, after=_shown(row))
    await give_rights(database, tenant, plan, actor=actor)
    return row


async def change(
    database: Database,
    plans: Plans,
    tenant: str,
    plan_id: str,
    *,
    seats: int | None = None,
    at_end: bool = False,
    actor: Actor,
    expected: Expected = None,
) -> Row:
    """Change the plan or the seats: at once, or from the next period on.

    Raises `InvalidRequest`: 404, 412, and 409 for less than now at once.
    """

    def step(row: Row, now: int) -> Step:
        wanted = seats or row.seats
        plans.checked(plan_id, wanted)
        if at_end:
            state = structs.replace(row, next_plan=plan_id, next_seats=wanted, cancel_at_end=False)
            return state, []
        if not may_change_at_once(row, plan_id, wanted, plans):
            raise InvalidRequest(
                "What is less than now begins with the next period: change at its end.",
                status=409,
                code="conflict",
            )
        return changed(row, plan_id, wanted, plans, now)

    row = await _change(database, plans, tenant, "subscription.change", step, actor, expected)
    await give_rights(database, tenant, plans[row.plan], actor=actor)
    return row


async def cancel(
    database: Database,
    plans: Plans,
    tenant: str,
    *,
    at_end: bool = True,
    actor: Actor,
    expected: Expected = None,
) -> Row:
    """Cancel: at the end of the period, or at once. Raises `InvalidRequest` (404, 412)."""

    def step(row: Row, now: int) -> Step:
        if at_end:
            return structs.replace(row, cancel_at_end=True, next_plan=None, next_seats=None), []
        return ended(row, plans, now)

    return await _change(database, plans, tenant, "subscription.cancel", step, actor, expected)


async def resume(database: Database, plans: Plans, tenant: str, *, actor: Actor) -> Row:
    """Take back that it ends with its period. Raises `InvalidRequest`: 404, and 409 when it has ended."""

    def step(row: Row, _now: int) -> Step:
        return structs.replace(row, cancel_at_end=False), []

    return await _change(database, plans, tenant, "subscription.resume", step, actor, None)


async def set_overdue(
    database: Database, plans: Plans, tenant: str, *, overdue: bool, actor: Actor, expected: Expected = None
) -> Row:
    """Say that a payment is overdue, from which the plan's days of grace run, or that all is paid.

    Raises `InvalidRequest`: 404, 412, and 409 in a trial.
    """

    def step(row: Row, now: int) -> Step:
        if not overdue:
            status = "active" if row.status == "past_due" else row.status
            return structs.replace(row, status=status, grace_until=None), []
        if row.status == "trialing":
            raise InvalidRequest("Nothing is overdue in a trial.", status=409, code="conflict")
        until = row.grace_until or now + plans[row.plan].grace_days * 86_400
        return advanced(structs.replace(row, status="past_due", grace_until=until), plans, now)

    return await _change(database, plans, tenant, "subscription.overdue", step, actor, expected)


async def renew_due(database: Database, plans: Plans) -> int:
    """Do for all subscriptions what is due by now; return for how many. Several workers may do so at once."""
    now = int(time.time())
    query = select(subscriptions).where(subscriptions.c.status.in_(SERVED))
    query = query.where((subscriptions.c.period_end <= now) | (subscriptions.c.grace_until <= now))
    async with database.connect() as connection:
        due = await many(connection, query, Row)
    for row in due:
        after = await _change(
            database, plans, row.tenant, "subscription.renew", lambda row, _now: (row, []), CLOCK, None
        )
        if after.served and after.plan != row.plan:
            await give_rights(database, row.tenant, plans[after.plan], actor=CLOCK)
    return len(due)


async def follow(
    database: Database, plans: Plans, recounter: Recounter, tenant: str, standing: Standing
) -> bool:
    """Make a subscription what it is where it is paid; see `gateway.doors.SubscriptionBook`.

    Of a period that has begun before it was told of, the calls until now are counted there.
    """
    plan = plans[standing.plan]
    await get_tenant(database, tenant)
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _find(connection, tenant)
        if before is not None and is_older(before, before.told_at, standing):
            return False
        state, costs = followed(before, standing, plans)
        row = Row(
            **structs.asdict(state),
            id=new_id("sub_") if before is None else before.id,
            tenant=tenant,
            told_at=standing.told_at,
            created_at=now if before is None else before.created_at,
            updated_at=now,
            revision=revision,
        )
        await _store(connection, row, new=before is None)
        await _note(connection, row, taken_over(before, standing, plans))
        if state.status in {"trialing", "active"}:
            await _note(connection, row, await _not_noted(connection, row, costs))
        if before is not None and before.period_start < row.period_start:
            await recounter.recount(connection, row.id, tenant, row.period_start)
        same = before is not None and _shown(before) == _shown(row)
        if not same:
            was = None if before is None else _shown(before)
            await record(
                connection, CLOCK, "subscription.follow", row.id, tenant=tenant, before=was, after=_shown(row)
            )
    if row.served:
        await give_rights(database, tenant, plan, actor=CLOCK)
    return not same


async def _not_noted(connection: AsyncConnection, row: Row, costs: Sequence[Charge]) -> list[Charge]:
    """Leave out the beginning of a period that was noted before, as when it is paid after all."""
    query = select(charges.c.kind).where(
        charges.c.subscription == row.id,
        charges.c.start == row.period_start,
        charges.c.kind.in_(("trial", "period")),
    )
    begun_before = {*(await connection.execute(query)).scalars()}
    return [cost for cost in costs if cost.kind not in begun_before]


async def find_subscription(database: Database, tenant: str) -> Row | None:
    """The tenant's subscription, an ended one too; None where there never was one."""
    async with database.connect() as connection:
        return await _find(connection, tenant)


def standing_of(row: Row) -> Standing:
    """A subscription as other plugins see it."""
    return Standing(
        reference=row.reference or row.id,
        plan=row.plan,
        seats=row.seats,
        status=row.status,
        period_start=row.period_start,
        period_end=row.period_end,
        cancel_at_end=row.cancel_at_end,
        told_at=row.told_at or row.updated_at,
    )


async def get_subscription(database: Database, tenant: str) -> Row:
    """The tenant's subscription, an ended one too. Raises `InvalidRequest` (404)."""
    async with database.connect() as connection:
        return await _present(connection, tenant)


async def all_subscriptions(
    database: Database, *, after: str | None = None, limit: int | None = None
) -> list[Row]:
    """Those of all tenants by tenant; `after` is the last one of the page before. For the operator."""
    query = select(subscriptions)
    return await page(database, query, subscriptions.c.tenant, Row, after=after, limit=limit)


async def list_charges(
    database: Database, tenant: str, *, after: str | None = None, limit: int | None = None
) -> list[ChargeRow]:
    """What a tenant's subscriptions cost, by id; `after` is the last one of the page before."""
    query = select(charges).where(charges.c.tenant == tenant)
    return await page(database, query, charges.c.id, ChargeRow, after=after, limit=limit)


async def give_rights(database: Database, tenant: str, plan: Plan, *, actor: Actor) -> None:
    """Make the plan's limits and models those of the tenant, where it has any."""
    given: dict[str, Any] = {}
    if plan.limits is not None:
        given["limits"] = plan.call_limits()
    if plan.models is not None:
        given["models"] = plan.models
    before = await get_tenant(database, tenant)
    if any(getattr(before, name) != value for name, value in given.items()):
        await change_tenant(database, tenant, TenantSettings(**given), actor=actor)


async def _change(
    database: Database,
    plans: Plans,
    tenant: str,
    action: str,
    step: Callable[[Row, int], Step],
    actor: Actor,
    expected: Expected,
) -> Row:
    """Bring a subscription up to date, then take a step."""
    now = time.time()
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, tenant)
        check_expected(expected, before.revision)
        state, costs = advanced(before, plans, int(now))
        if action != "subscription.renew" and before.reference is not None and state.served:
            raise InvalidRequest(
                f"The subscription of {tenant!r} is paid as {before.reference!r}: change it there.",
                status=409,
                code="conflict",
            )
        if action != "subscription.renew" and not state.served:
            raise InvalidRequest(
                f"The subscription of {tenant!r} has ended: begin another.", status=409, code="conflict"
            )
        after, more = step(_row(before, state, now, revision), int(now))
        row = _row(before, after, now, revision)
        if structs.replace(row, updated_at=before.updated_at, revision=before.revision) == before:
            return before
        await _store(connection, row)
        await _note(connection, row, [*costs, *more])
        was = _shown(before)
        await record(connection, actor, action, row.id, tenant=tenant, before=was, after=_shown(row))
    return row


def _row(before: Row, state: State, now: float, revision: int) -> Row:
    values = {name: getattr(state, name) for name in State.__struct_fields__}
    return structs.replace(before, **values, updated_at=now, revision=revision)


async def _store(connection: AsyncConnection, row: Row, *, new: bool = False) -> None:
    """Write a subscription, and its period's usage from when that begins, by which calls find their period later."""
    values = structs.asdict(row)
    if new:
        await connection.execute(insert(subscriptions).values(**values))
    else:
        which = (subscriptions.c.tenant == values.pop("tenant"), subscriptions.c.id == values.pop("id"))
        await connection.execute(update(subscriptions).where(*which).values(**values))
    period = insert_into(connection, usage).values(
        subscription=row.id, start=row.period_start, spent=0, reserved=0
    )
    await connection.execute(period.on_conflict_do_nothing())


async def _note(connection: AsyncConnection, row: Row, costs: Sequence[Charge]) -> None:
    for number, charge in enumerate(costs):
        values = {
            **structs.asdict(charge),
            "id": f"{int(row.updated_at * 1000):012x}{new_id('')}{number:03d}",
            "subscription": row.id,
            "tenant": row.tenant,
            "granted": not charge.included,
            "created_at": row.updated_at,
        }
        await connection.execute(insert(charges).values(**values))


def _shown(row: Row) -> dict[str, Any]:
    names = (
        *("plan", "seats", "status", "period_start", "period_end", "next_plan", "cancel_at_end"),
        *("grace_until", "reference"),
    )
    return {name: getattr(row, name) for name in names}


async def _find(connection: AsyncConnection, tenant: str) -> Row | None:
    return await one(connection, select(subscriptions).where(subscriptions.c.tenant == tenant), Row)


async def _present(connection: AsyncConnection, tenant: str) -> Row:
    found = await _find(connection, tenant)
    if found is None:
        raise InvalidRequest(f"The tenant {tenant!r} has no subscription.", status=404, code="not_found")
    return found
