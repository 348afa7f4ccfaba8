"""A tenant's calls and audit entries on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

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
    sum_tenant_calls,
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


async def test_calls_are_added_up(database: Database) -> None:
    await fill(database)
    async with database.begin() as connection:
        measured = {"ended_at": NOON + 5, "charge": 3, "prompt_tokens": 7, "upstream_model": "deep"}
        await connection.execute(
            update(model_calls).where(model_calls.c.model.in_(("slow", "fast_2"))).values(measured)
        )
        open_ = update(model_calls).where(model_calls.c.model == "Fast")
        await connection.execute(open_.values(status="processing"))
    (total,) = await sum_tenant_calls(database, "acme", CallFilter(), by=())
    assert (total.calls, total.succeeded, total.charge, total.prompt_tokens) == (2, 1, 6, 14)
    assert (total.completion_tokens, total.last) == (None, NOON + 3)
    assert {type(total.charge), type(total.prompt_tokens)} == {int}, "whole numbers, on either database"
    assert total.seconds == pytest.approx(4 + 2)
    hour = int(NOON) - int(NOON) % 3600
    rows = await sum_tenant_calls(database, "acme", CallFilter(), by=("model", "at"), step=3600, ahead=1800)
    assert [(row.model, row.at, row.calls) for row in rows] == [("deep", hour - 1800, 2)]
    mine = CallFilter(own=Own(user="usr_a", key=None), since=NOON - 100, until=NOON + 100)
    (row,) = await sum_tenant_calls(database, "acme", mine, by=("key", "provider"))
    assert (row.key, row.provider, row.calls) == (None, None, 1)
    assert [*await sum_tenant_calls(database, "nobody", mine, by=("key",))] == []


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
