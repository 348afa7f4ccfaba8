"""What became of the months that the gateway drafts by itself."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import func, select

from gateway.errors import InvalidRequest
from gateway_invoices.tables import invoices, outcomes, runs

if TYPE_CHECKING:
    from gateway.store import Database

State: TypeAlias = Literal["waiting", "drafting", "failed", "done"]


class Run(Struct, frozen=True, kw_only=True):
    """A month."""

    month: str
    """As `2026-10`."""
    state: State
    """`waiting` for its end or its turn; `failed` until a later try succeeds."""
    error: str | None
    """What stopped it."""
    drafted: int
    """Tenants with an invoice or draft for it."""
    failed: Sequence[str]
    """Tenants for which no draft could be made."""
    without_data: Sequence[str]
    """Tenants that were charged and have no customer data."""
    done_at: str | None
    """In UTC; None while it waits for its end, or is under way."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a tenant in a month."""

    tenant: str
    state: str
    """`failed` or `without_data`; where there is an invoice, its status."""
    error: str | None
    """Why there is no draft, or why it is not issued."""
    invoice: str | None
    """The id of the latest invoice or draft for the month."""


async def list_runs(
    database: Database, *, before: str | None = None, limit: int | None = None
) -> Sequence[Run]:
    """Months, newest first; `before` is the last one of the page before. Raises `Unavailable`."""
    query = select(runs).order_by(runs.c.period_start.desc()).limit(limit)
    if before is not None:
        query = query.where(runs.c.period_start < start_of(before))
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
        lacking = outcomes.c.state != "drafted"
        mine = outcomes.c.period_start.in_([row.period_start for row in rows])
        found: defaultdict[tuple[float, str], list[str]] = defaultdict(list)
        for each in await connection.execute(
            select(outcomes).where(mine, lacking).order_by(outcomes.c.tenant)
        ):
            found[each.period_start, each.state].append(each.tenant)
    return [
        Run(
            month=month_of(row.period_start),
            state=_state(row),
            error=row.error,
            drafted=row.drafted,
            failed=found[row.period_start, "failed"],
            without_data=found[row.period_start, "without_data"],
            done_at=None
            if row.done_at is None
            else f"{datetime.fromtimestamp(row.done_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        for row in rows
    ]


async def list_outcomes(
    database: Database, month: str, *, after: str | None = None, limit: int
) -> Sequence[Outcome]:
    """The tenants of a month by name, beginning after one of them. Raises `InvalidRequest` (404), `Unavailable`."""
    start = start_of(month)
    latest = (
        select(invoices.c.tenant, func.max(invoices.c.id).label("id"))
        .join_from(invoices, runs, runs.c.period_end == invoices.c.period_end)
        .where(invoices.c.kind == "invoice", invoices.c.period_start == start, runs.c.period_start == start)
        .group_by(invoices.c.tenant)
        .subquery()
    )
    query = (
        select(outcomes, latest.c.id, invoices.c.status)
        .outerjoin_from(outcomes, latest, latest.c.tenant == outcomes.c.tenant)
        .outerjoin(invoices, invoices.c.id == latest.c.id)
        .where(outcomes.c.period_start == start)
        .order_by(outcomes.c.tenant)
        .limit(limit)
    )
    if after is not None:
        query = query.where(outcomes.c.tenant > after)
    async with database.connect() as connection:
        known = select(runs.c.period_start).where(runs.c.period_start == start)
        if (await connection.execute(known)).first() is None:
            raise InvalidRequest(f"There is no run of {month}.", status=404, code="not_found")
        rows = (await connection.execute(query)).all()
    return [
        Outcome(
            tenant=row.tenant,
            state=row.status or row.state,
            error=row.error if row.status in {None, "draft"} else None,
            invoice=row.id,
        )
        for row in rows
    ]


def month_of(moment: float) -> str:
    """The month, in UTC, of a moment in Unix seconds: `2026-10`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m}"


def start_of(month: str) -> float:
    """The first moment of `2026-10`, in Unix seconds. Raises `InvalidRequest` (404)."""
    try:
        return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise InvalidRequest(
            f"{month!r} is no month; write it as 2026-10.", status=404, code="not_found"
        ) from None


def _state(row: Any) -> State:
    if row.done_at is not None:
        return "done"
    if row.error is not None:
        return "failed"
    return "drafting" if row.held_until > time.time() else "waiting"
