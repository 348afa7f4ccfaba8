"""Thresholds are told once in each period, whoever looks."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select

from gateway.store import Database
from gateway.store.forgetting import ERASED, forget_in_notices
from gateway.store.migrate import check
from gateway.store.notices import list_notices
from gateway.types import NANO, Outcome, Principal
from gateway_budgets.plugin import MIGRATIONS
from gateway_budgets.rows import change_budget
from gateway_budgets.tables import alerts, metadata

from .conftest import ACTOR, Till


async def noted(till: Till) -> list[tuple[str, int]]:
    async with till.database.connect() as connection:
        query = select(alerts.c.budget, alerts.c.threshold).order_by(alerts.c.budget, alerts.c.threshold)
        return [(row.budget, row.threshold) for row in await connection.execute(query)]


async def test_an_alert_of_a_persons_budget_names_them_until_they_are_erased(till: Till) -> None:
    user = await till.member("acme")
    await till.set(1, scope="user", subject=user)
    (call,), _ = await till.open(principal=Principal(tenant="acme", authenticator="test", user=user))
    await till.settle(call)
    await till.plugin.watch.look()
    told = await list_notices(till.database, "acme", after=None, limit=9)
    assert {(each.user, each.data["subject"]) for each in told} == {(user, user)}
    await forget_in_notices(till.database, [user])
    told = await list_notices(till.database, "acme", after=None, limit=9)
    assert {(each.user, each.data["subject"]) for each in told} == {(None, ERASED)}


async def test_each_threshold_is_told_once(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    budget = await till.set(10)
    calls, _ = await till.open(10)
    await till.settle(*calls[:4])
    await till.plugin.watch.look()
    assert await noted(till) == []
    await till.settle(*calls[4:8])
    await asyncio.gather(*(till.plugin.watch.look() for _ in range(3)))
    till.plugin.watch.touch_all()
    await till.plugin.watch.look()
    assert await noted(till) == [(budget.id, 50), (budget.id, 80)]
    assert [record.getMessage() for record in caplog.records if "80 %" in record.getMessage()] == [
        f"tenant of tenant acme: 80 % of the budget {budget.id} are reached: 8 of 10 credits (month)"
    ]
    told = await list_notices(till.database, "acme", after=None, limit=9)
    assert sorted(each.data["threshold_percent"] for each in told) == [50, 80]
    assert {(each.kind, each.data["budget"], each.data["spent_nano"]) for each in told} == {
        ("budget", budget.id, 8 * NANO)
    }
    await change_budget(till.database, "acme", budget.id, amount=8 * NANO, actor=ACTOR)
    await till.plugin.context.changes.look()
    await till.plugin.watch.look()
    assert await noted(till) == [(budget.id, 50), (budget.id, 80), (budget.id, 100)]


async def test_a_call_that_is_written_after_the_watch_has_looked_is_told_of(sqlite_till: Till) -> None:
    till = sqlite_till
    budget = await till.set(10)
    calls, _ = await till.open(8)
    with contextlib.closing(sqlite3.connect(till.database.path, isolation_level=None)) as locked:
        locked.execute("BEGIN IMMEDIATE")
        for call in calls:
            till.ledger.settle(call, Outcome(status="success", ended_at=call.received_at, charge=NANO))
        await till.plugin.watch.look()
        assert await noted(till) == []
    await till.ledger.write(())
    await till.plugin.watch.look()
    assert await noted(till) == [(budget.id, 50), (budget.id, 80)]


async def test_the_migration_makes_the_tables(database: Database) -> None:
    assert await check(database, [MIGRATIONS]) == []

    def ours(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
        return kind != "table" or name in metadata.tables

    def differences(connection: Connection) -> list[Any]:
        options: dict[str, Any] = {"compare_type": True, "include_object": ours}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
