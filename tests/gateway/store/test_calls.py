"""The repository of calls: pages and prefixes, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.calls import find_calls, get_call, list_calls
from gateway.types import Call


@pytest.fixture
async def ids(database: Database, make_call: Callable[..., Call]) -> list[str]:
    ledger = Ledger(database)
    await ledger.start()
    ids = [f"01a1fe{number:04x}" for number in range(25)]
    for number, id_ in enumerate(ids):
        await ledger.open(make_call(id=id_, request_id=f"req_{number}"))
    await ledger.stop()
    return ids


async def test_pages_follow_each_other_without_gap(database: Database, ids: list[str]):
    found: list[str] = []
    while page := await list_calls(database, limit=10, before=found[-1] if found else None):
        found += [row.id for row in page]
    assert found == ids[::-1]


async def test_one_call_by_its_request_id(database: Database, ids: list[str]):
    assert [row.id for row in await list_calls(database, request_id="req_7")] == [ids[7]]


async def test_calls_by_the_beginning_of_their_id(database: Database, ids: list[str]):
    assert [row.id for row in await find_calls(database, "01a1fe0003")] == [ids[3]]
    assert [row.id for row in await find_calls(database, "01a1fe000", limit=50)] == ids[15::-1]
    assert [row.id for row in await find_calls(database, ids[3][-8:])] == [ids[3]]
    assert await find_calls(database, "_") == []
    assert await get_call(database, "01a1fe") is None
