"""Looks into the gateway's database from beside it, with the database's own driver."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from pathlib import Path
from typing import Any


async def connect(url: str) -> Any:
    """Connect to PostgreSQL with asyncpg, which has no types to check."""
    driver: Any = importlib.import_module("asyncpg")
    return await driver.connect(url, timeout=10)


async def query(url: str, folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on the database of a deployment."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(folder / "gateway.db", timeout=20)) as database:
            return database.execute(statement).fetchall()
    connection = await connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def check_books(url: str, folder: Path) -> int:
    """Check that every call is settled and counted in the usage buckets; return how many there are."""
    ((processing,),) = await query(
        url, folder, "SELECT count(*) FROM model_calls WHERE status = 'processing'"
    )
    assert processing == 0
    calls = await query(
        url,
        folder,
        "SELECT count(*), coalesce(sum(CASE WHEN status = 'success' THEN 0 ELSE 1 END), 0),"
        " coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(sum(cost), 0)"
        " FROM model_calls",
    )
    buckets = await query(
        url,
        folder,
        "SELECT coalesce(sum(calls), 0), coalesce(sum(failed), 0), coalesce(sum(prompt_tokens), 0),"
        " coalesce(sum(completion_tokens), 0), coalesce(sum(cost), 0) FROM usage_buckets",
    )
    assert [int(n) for n in calls[0]] == [int(n) for n in buckets[0]]
    return int(calls[0][0])
