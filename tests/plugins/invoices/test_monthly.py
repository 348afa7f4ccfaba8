"""Months are drafted once by the running gateway, however many workers there are and whatever was down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.store import Database
from gateway.store.identity_tables import audit_log
from gateway.store.notices import list_notices
from gateway.store.tables import model_calls, usage_buckets
from gateway_invoices.book import Book
from gateway_invoices.monthly import Monthly
from gateway_invoices.reading import list_invoices
from gateway_invoices.runs import list_outcomes, list_runs
from gateway_invoices.tables import runs

from .ledger import ACTOR, END, NOON, START, add_call, add_tenant, at, book_of
from .samples import config, seller

DAY = 86_400.0
SOON = END + 2 * 3600.0


def monthly(database: Database, worker: str = "w1", issue_after_days: int | None = None) -> Monthly:
    book = book_of(database, config(main=seller()))
    return Monthly(book, issue_after_days, worker, operator_tenant="default")


async def told(database: Database) -> list[dict[str, Any]]:
    """What sinks hear of the months."""
    found = await list_notices(database, "default", after=None, limit=20)
    return [dict(each.data) for each in found if each.kind == "invoice_run"]


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
    (lacking,) = await list_outcomes(database, "2026-10", limit=9)
    assert (lacking.tenant, lacking.state, lacking.invoice) == ("stranger", "without_data", None)
    assert [(run["state"], run["without_data"]) for run in await told(database)] == [("failed", ["stranger"])]


async def test_what_became_of_each_tenant_is_kept_and_told_of(either: Database) -> None:
    await add_tenant(either, "acme")
    await add_tenant(either, "broken", entity="sold")
    await add_tenant(either, "idle")
    for name in ("acme", "broken"):
        await add_call(either, tenant=name)
    workers = [monthly(either, f"w{number}") for number in range(3)]
    await asyncio.gather(*(worker.work(NOON) for worker in workers))
    assert [run.state for run in await list_runs(either)] == ["waiting"]
    for _ in range(2):
        await asyncio.gather(*(worker.work(SOON) for worker in workers))
    waiting, done = await list_runs(either)
    assert (waiting.month, waiting.state) == ("2026-11", "waiting")
    assert (done.month, done.state, done.drafted, done.failed) == ("2026-10", "done", 1, ["broken"])
    drafted, broken = await list_outcomes(either, "2026-10", limit=9)
    (draft,) = await list_invoices(either, None, limit=9)
    assert (drafted.tenant, drafted.state, drafted.error, drafted.invoice) == (
        "acme",
        "draft",
        None,
        draft.id,
    )
    assert (broken.tenant, broken.state, broken.invoice) == ("broken", "failed", None)
    assert broken.error is not None
    assert "sold" in broken.error
    assert await list_outcomes(either, "2026-10", after="acme", limit=9) == [broken]
    failed = [{"tenant": "broken", "error": broken.error}]
    assert await told(either) == [
        {"month": "2026-10", "state": "failed", "drafted": 1, "failed": failed, "without_data": []}
    ]


async def test_a_draft_that_cannot_be_issued_is_told_of_once(database: Database) -> None:
    await add_tenant(database)
    await add_call(database)
    worker = monthly(database, issue_after_days=3)
    await worker.work(NOON)
    await worker.work(SOON)
    running = await add_call(database, status="processing", charge=None)
    for hour in range(3):
        await worker.work(END + 3 * DAY + hour * 3600.0)
    (outcome,) = await list_outcomes(database, "2026-10", limit=9)
    assert outcome.state == "draft"
    assert outcome.error is not None
    assert "still running" in outcome.error
    assert [run["state"] for run in await told(database)] == ["not_issued", "drafted"]
    async with database.begin() as connection:
        ended = update(model_calls).where(model_calls.c.id == running)
        await connection.execute(ended.values(status="failed", charge=0))
    await worker.work(END + 3 * DAY + 4 * 3600.0)
    (outcome,) = await list_outcomes(database, "2026-10", limit=9)
    assert (outcome.state, outcome.error) == ("issued", None)


async def test_a_run_that_breaks_off_says_why_and_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_tenant(database)
    await add_call(database)
    worker = monthly(database)
    await worker.work(NOON)
    with monkeypatch.context() as broken:

        async def draft_once(*args: object, **named: object) -> None:
            raise RuntimeError("no font")

        broken.setattr(Book, "draft_once", draft_once)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await worker.work(SOON)
        (run,) = await list_runs(database)
        assert (run.state, run.error) == ("failed", "RuntimeError: no font")
    await worker.work(SOON)
    assert [(run.state, run.error) for run in await list_runs(database)] == [
        ("waiting", None),
        ("done", None),
    ]
    assert sorted((run["state"], run.get("error")) for run in await told(database)) == [
        ("drafted", None),
        ("failed", "RuntimeError: no font"),
    ]
