"""Months are drafted once by the running gateway, however many workers there are and whatever was down."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select, update

from gateway.store import Database
from gateway.store.identity_tables import audit_log
from gateway.store.tables import usage_buckets
from gateway_invoices.monthly import Monthly
from gateway_invoices.reading import list_invoices
from gateway_invoices.runs import list_runs
from gateway_invoices.tables import runs

from .ledger import ACTOR, END, NOON, START, add_call, add_tenant, at, book_of
from .samples import config, seller

DAY = 86_400.0
SOON = END + 2 * 3600.0


def monthly(database: Database, worker: str = "w1", issue_after_days: int | None = None) -> Monthly:
    return Monthly(book_of(database, config(main=seller())), issue_after_days, worker)


async def drafts(database: Database) -> list[tuple[str, str, str]]:
    found = await list_invoices(database, None, limit=100)
    return sorted((one.tenant, one.shown.period_start, one.status) for one in found)


async def test_of_several_workers_one_drafts_each_month_once(either: Database) -> None:
    for name in ("acme", "globex", "idle"):
        await add_tenant(either, name)
    for name in ("acme", "globex"):
        await add_call(either, tenant=name)
    workers = [monthly(either, f"w{number}") for number in range(4)]
    await asyncio.gather(*(worker.work(NOON) for worker in workers))
    assert await drafts(either) == []
    for _ in range(2):
        await asyncio.gather(*(worker.work(SOON) for worker in workers))
    assert await drafts(either) == [("acme", "2026-10-01", "draft"), ("globex", "2026-10-01", "draft")]
    assert [(run.month, run.drafted, run.done_at is None) for run in await list_runs(either)] == [
        ("2026-11", 0, True),
        ("2026-10", 2, False),
    ]
    async with either.connect() as connection:
        query = select(audit_log.c.action, audit_log.c.actor).where(audit_log.c.action == "invoice.run")
        assert (await connection.execute(query)).all() == [("invoice.run", "billing.invoices")]


async def test_all_months_of_a_downtime_are_drafted(database: Database) -> None:
    await add_tenant(database)
    for day in ("2026-07-31", "2026-08-01", "2026-09-30"):
        await add_call(database, at(day))
    worker = monthly(database)
    await worker.work(at("2026-07-15"))
    await worker.work(SOON)
    assert [start for _, start, _ in await drafts(database)] == ["2026-07-01", "2026-08-01", "2026-09-01"]


async def test_another_worker_goes_on_where_one_died(database: Database) -> None:
    for name in ("acme", "globex"):
        await add_tenant(database, name)
        await add_call(database, tenant=name)
    book = book_of(database, config(main=seller()))
    first = monthly(database)
    await first.work(NOON)
    async with database.begin() as connection:  # it took the month, drafted once, and died
        await connection.execute(update(runs).values(holder="dead", held_until=SOON + 300))
    discarded = await book.draft_once("acme", START, END, issue_at=None, actor=ACTOR)
    assert discarded is not None
    await book.void(discarded.id, actor=ACTOR)
    await first.work(SOON)
    assert await drafts(database) == [("acme", "2026-10-01", "void")]
    await first.work(SOON + 301)
    assert await drafts(database) == [("acme", "2026-10-01", "void"), ("globex", "2026-10-01", "draft")]


async def test_drafts_are_issued_when_their_time_has_come_as_the_ledger_then_is(database: Database) -> None:
    await add_tenant(database)
    await add_call(database)
    workers = [monthly(database, name, issue_after_days=3) for name in ("w1", "w2")]
    for moment in (NOON, SOON, END + 3 * DAY - 1):
        await workers[0].work(moment)
    assert await drafts(database) == [("acme", "2026-10-01", "draft")]
    await add_call(database)  # it ended late
    await asyncio.gather(*(worker.work(END + 3 * DAY) for worker in workers), return_exceptions=True)
    found = [one for one in await list_invoices(database, None, limit=10) if one.status == "issued"]
    assert [(one.number, one.total) for one in found] == [
        ("INV-000001", 226)
    ]  # 2 credits at 0.95, and 19 percent


async def test_tenants_without_customer_data_are_named(database: Database) -> None:
    values: dict[str, Any] = dict.fromkeys(
        ("failed", "prompt_tokens", "completion_tokens", "cached_read_tokens", "cached_write_tokens"), 0
    )
    row = {"start": int(NOON), "tenant": "stranger", "key": "", "model": "m", "provider": "p", "calls": 1}
    async with database.begin() as connection:
        more = {"reasoning_tokens": 0, "cost": 5, "charge": 5}
        await connection.execute(usage_buckets.insert().values({**row, **values, **more}))
    worker = monthly(database)
    await worker.work(NOON)
    await worker.work(SOON)
    assert [run.without_data for run in await list_runs(database)] == [[], ["stranger"]]
