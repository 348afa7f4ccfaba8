"""What became of the months that the gateway drafts by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select

from gateway_invoices.tables import runs

if TYPE_CHECKING:
    from gateway.store import Database


class Run(Struct, frozen=True, kw_only=True):
    """A month."""

    month: str
    """As `2026-10`."""
    drafted: int
    """Tenants with an invoice or draft for it."""
    without_data: Sequence[str]
    """Tenants that were charged and have no customer data."""
    done_at: str | None
    """In UTC; None while it waits for its end, or is under way."""


async def list_runs(database: Database) -> Sequence[Run]:
    """All months, newest first. Raises `Unavailable`."""
    async with database.connect() as connection:
        rows = await connection.execute(select(runs).order_by(runs.c.period_start.desc()))
        return [
            Run(
                month=f"{datetime.fromtimestamp(row.period_start, UTC):%Y-%m}",
                drafted=row.drafted,
                without_data=row.without_data,
                done_at=None
                if row.done_at is None
                else f"{datetime.fromtimestamp(row.done_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            )
            for row in rows
        ]


def run_shown(run: Run) -> str:
    """A month in a line."""
    if run.done_at is None:
        return f"{run.month}  waiting"
    lacking = (
        f", {len(run.without_data)} without customer data: {', '.join(run.without_data)}"
        if run.without_data
        else ""
    )
    return f"{run.month}  {run.drafted} drafted at {run.done_at}{lacking}"
