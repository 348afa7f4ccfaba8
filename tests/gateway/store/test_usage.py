"""Usage added up on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from gateway.store import Database
from gateway.store.tables import usage_buckets
from gateway.store.usage import UsageQuery, key_names, usage_of

MIDNIGHT = 1_750_032_000
"""2025-06-16 00:00 UTC."""
BERLIN = ((MIDNIGHT - 86_400, 3_600), (MIDNIGHT + 3_600, 7_200))
"""An hour ahead, and from 01:00 UTC on two."""
LARGE = 2**40


async def fill(database: Database) -> None:
    rest = ("completion_tokens", "cached_read_tokens", "cached_write_tokens", "reasoning_tokens", "failed")
    async with database.begin() as connection:
        for start, model, calls in (
            (MIDNIGHT - 7_200, "b", 1),
            (MIDNIGHT - 3_600, "a", 2),
            (MIDNIGHT + 3_600, "a", 4),
            (MIDNIGHT + 79_200, "b", 8),
        ):
            row = {"start": start, "tenant": "acme", "key": "", "model": model, "provider": "p"}
            sums = {**dict.fromkeys(rest, 0), "calls": calls, "prompt_tokens": LARGE, "cost": LARGE}
            await connection.execute(insert(usage_buckets).values(**row, **sums))


def what(**changes: Any) -> UsageQuery:
    values: dict[str, Any] = {"since": MIDNIGHT - 86_400, "until": MIDNIGHT + 86_400, **changes}
    return UsageQuery(**values)


async def test_sums_groups_and_pages(database: Database) -> None:
    await fill(database)
    (total,) = await usage_of(database, "acme", what())
    assert (total.calls, total.cost) == (15, 4 * LARGE)
    (nothing,) = await usage_of(database, "beta", what())
    assert nothing.calls is None
    query = what(groups=("day", "model"), offsets=BERLIN)
    rows = [(row.day, row.model, row.calls) for row in await usage_of(database, "acme", query)]
    first = MIDNIGHT // 86_400
    assert rows == [(first - 1, "b", 1), (first, "a", 6), (first + 1, "b", 8)]
    for number, row in enumerate(rows):
        after = await usage_of(database, "acme", query, after=row[:2], limit=1)
        assert [(one.day, one.model, one.calls) for one in after] == rows[number + 1 : number + 2]
    hours = await usage_of(database, "acme", what(groups=("hour",), offsets=BERLIN, only={"model": "a"}))
    assert [(row.hour, row.calls) for row in hours] == [(MIDNIGHT - 3_600, 2), (MIDNIGHT + 3_600, 4)]


async def test_names_of_keys(database: Database) -> None:
    assert await key_names(database, "acme", ["key_1"]) == {}
    assert await key_names(database, "acme", []) == {}
