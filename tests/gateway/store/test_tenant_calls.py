"""A tenant's calls and audit entries on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from gateway.store import Database
from gateway.store.audit import Actor, record
from gateway.store.audit_entries import EntryFilter, get_entry, list_all_entries, list_entries
from gateway.store.tables import model_calls
from gateway.store.tenant_calls import (
    CallFilter,
    Own,
    get_tenant_call,
    has_more_calls_than,
    list_tenant_calls,
)

NOON = 1_750_075_200.0


async def fill(database: Database) -> None:
    usual = {"request_id": "r", "capability": "chat", "dialect": "d", "stream": False, "worker": "w"}
    async with database.begin() as connection:
        for number, (tenant, more) in enumerate(
            (
                ("acme", {"model": "Fast"}),
                ("acme", {"model": "slow", "user": "usr_a"}),
                ("beta", {"model": "fast"}),
                ("acme", {"model": "fast_2", "status": "failed"}),
            )
        ):
            at = NOON + number
            values: dict[str, Any] = {
                **usual,
                "status": "success",
                "tenant": tenant,
                "received_at": at,
                **more,
            }
            await connection.execute(
                insert(model_calls).values(id=f"call_{int(at * 1000):012x}{number:016x}", **values)
            )


async def models(database: Database, **which: Any) -> list[str]:
    rows = await list_tenant_calls(database, "acme", CallFilter(**which), limit=10)
    return [row.model for row in rows]


async def test_calls_of_a_tenant(database: Database) -> None:
    await fill(database)
    assert await models(database) == ["fast_2", "slow", "Fast"]
    assert await models(database, search="FAST") == ["fast_2", "Fast"]
    assert await models(database, search="fast_") == ["fast_2"]
    assert await models(database, since=NOON + 1, until=NOON + 2) == ["slow"]
    assert await models(database, statuses=("failed", "cancelled")) == ["fast_2"]
    assert await models(database, own=Own(user="usr_a", key=None)) == ["slow"]
    assert await models(database, own=Own(user=None, key=None)) == []
    (newest, *_), (*_, oldest) = [await list_tenant_calls(database, "acme", CallFilter(), limit=3)] * 2
    page = await list_tenant_calls(database, "acme", CallFilter(), limit=1, before=newest.id)
    assert [row.model for row in page] == ["slow"]
    assert await get_tenant_call(database, "acme", oldest.id) is not None
    assert await get_tenant_call(database, "beta", oldest.id) is None
    assert await get_tenant_call(database, "acme", oldest.id, own=Own(user="usr_a", key=None)) is None
    more = [await has_more_calls_than(database, "acme", CallFilter(), number) for number in (2, 3)]
    assert more == [True, False]


async def test_audit_entries(database: Database) -> None:
    async with database.begin() as connection:
        for tenant, action in (("acme", "key.create"), ("", "tenant.create"), ("acme", "key_x.create")):
            actor = Actor(kind="user", id="usr_a", request_id="req_1", address="127.0.0.1")
            await record(connection, actor, action, "o", tenant=tenant, after={"name": "n"})

    async def actions(**which: Any) -> list[str]:
        return [one.action for one in await list_entries(database, "acme", EntryFilter(**which), limit=5)]

    assert await actions() == ["key_x.create", "key.create"]
    assert await actions(action="key.*") == ["key.create"]
    assert await actions(action="key.create", actor="usr_a", object="o", since=0, until=2e9) == ["key.create"]
    assert await actions(until=1.0) == []
    everything = await list_all_entries(database, EntryFilter(), limit=5, before=3)
    assert [one.tenant for one in everything] == ["", "acme"]
    entry = await get_entry(database, "acme", 1)
    assert entry is not None
    assert (entry.after, entry.before, entry.address) == ({"name": "n"}, None, "127.0.0.1")
    assert await get_entry(database, "acme", 2) is None
