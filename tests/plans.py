"""How SQLite goes about what it is asked."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from sqlalchemy import event

from gateway.store import Database


async def plans_of(database: Database, work: Awaitable[object]) -> list[str]:
    """Do the work; return the lines of `EXPLAIN QUERY PLAN` for all that it asked through SQLAlchemy."""
    asked: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        _connection, _cursor, statement, parameters = told[:4]
        asked.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await work
    finally:
        event.remove(engine, "before_cursor_execute", note)
    plans: list[str] = []
    async with database.connect() as connection:
        for statement, parameters in asked:
            if not statement.startswith("BEGIN"):
                found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [row.detail for row in found]
    return plans
