"""The ledger on both databases: what `open` and `settle` promise."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from sqlalchemy import func, select, text

from gateway.errors import Unavailable
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.store.calls import as_record, get_call, list_calls
from gateway.store.tables import model_calls, usage_buckets, workers
from gateway.types import Call, Outcome, Principal, Usage

MakeCall = Callable[..., Call]
MakeOutcome = Callable[..., Outcome]

COUNTED = (
    "prompt_tokens",
    "completion_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "reasoning_tokens",
    "cost",
)


@pytest.fixture
async def ledger(database: Database) -> AsyncGenerator[Ledger]:
    ledger = Ledger(database)
    await ledger.start()
    yield ledger
    await ledger.stop()


async def totals(database: Database) -> tuple[Any, Any]:
    """The sums over the settled calls, and the sums over the buckets: to be equal, always."""
    settled = model_calls.c.status != "processing"
    failed = func.count().filter(model_calls.c.status != "success")
    of_calls = [func.coalesce(func.sum(model_calls.c[name]), 0) for name in COUNTED]
    of_buckets = [func.coalesce(func.sum(usage_buckets.c[name]), 0) for name in ("calls", "failed", *COUNTED)]
    async with database.connect() as connection:
        calls = (await connection.execute(select(func.count(), failed, *of_calls).where(settled))).one()
        buckets = (await connection.execute(select(*of_buckets))).one()
    return tuple(map(int, calls)), tuple(map(int, buckets))


async def test_a_call_is_durable_before_it_is_sent(database: Database, ledger: Ledger, make_call: MakeCall):
    call = make_call(client_request_id="mine")
    await ledger.open(call)
    row = await get_call(database, call.id)
    assert row is not None
    record = as_record(row)
    assert record["status"] == "processing"
    assert (record["tenant"], record["user"], record["key"], record["key_name"]) == (
        "acme",
        "ann",
        "key_1",
        "laptop",
    )
    assert record["client_request_id"] == "mine"
    assert record["ended_at"] is record["cost"] is record["error"] is None


async def test_a_settled_call_says_what_became_of_it(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    call = make_call(received_at=1_700_000_000.25)
    await ledger.open(call)
    ledger.settle(call, make_outcome(first_byte_at=1_700_000_000.5, ended_at=1_700_000_001.5))
    await ledger.stop()
    row = await get_call(database, call.id)
    assert row is not None
    assert as_record(row) == {
        "id": call.id,
        "request_id": "req_1",
        "client_request_id": None,
        "tenant": "acme",
        "user": "ann",
        "key": "key_1",
        "key_name": "laptop",
        "capability": "chat",
        "dialect": "openai.chat",
        "model": "mock/fast",
        "stream": False,
        "provider": "mock",
        "upstream_model": "fast",
        "status": "success",
        "attempts": 1,
        "http_status": 200,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "cached_read_tokens": 3,
        "cached_write_tokens": 0,
        "reasoning_tokens": 4,
        "units": None,
        "estimated": False,
        "cost": 0.0000015,
        "cost_nano": 1500,
        "charge_nano": None,
        "price_version": "2026-01",
        "error": None,
        "received_at": "2023-11-14T22:13:20.250Z",
        "first_byte_at": "2023-11-14T22:13:20.500Z",
        "ended_at": "2023-11-14T22:13:21.500Z",
        "duration_ms": 1250.0,
    }
    async with database.connect() as connection:
        bucket = (await connection.execute(select(usage_buckets))).one()
    assert tuple(bucket) == (
        1_699_999_200,
        "acme",
        "key_1",
        "mock/fast",
        "mock",
        1,
        0,
        10,
        20,
        3,
        0,
        4,
        1500,
        0,
    )


async def test_only_the_first_settlement_counts(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    call = make_call()
    await ledger.open(call)
    ledger.settle(call, make_outcome(status="failed", error_code="x", error_message="m" * 5000))
    ledger.settle(call, make_outcome())
    await ledger.stop()
    row = await get_call(database, call.id)
    assert row is not None
    assert row.status == "failed"
    assert row.error_message == "m" * 1000
    calls, buckets = await totals(database)
    assert calls == buckets
    assert calls[:2] == (1, 1)


async def test_unknown_usage_and_cost_stay_unknown(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    call = make_call(principal=Principal(tenant="acme", authenticator="none"))
    await ledger.open(call)
    ledger.settle(call, make_outcome(status="cancelled", usage=None, cost=None, provider=None))
    await ledger.stop()
    row = await get_call(database, call.id)
    assert row is not None
    assert [row._mapping[name] for name in COUNTED] == [None] * 6
    async with database.connect() as connection:
        bucket = (await connection.execute(select(usage_buckets))).one()
    assert (bucket.key, bucket.provider, bucket.calls, bucket.failed, bucket.cost) == ("", "", 1, 1, 0)


@pytest.mark.parametrize(
    ("usage", "units"),
    [
        (Usage(prompt_tokens=3, completion_tokens=5, cached_read_tokens=2, reasoning_tokens=1), None),
        (Usage(images=2), {"images": 2}),
        (Usage(seconds=1.5, characters=10, searches=1), {"seconds": 1.5, "characters": 10, "searches": 1}),
        (
            Usage(prompt_tokens=3, audio_prompt_tokens=2, completion_tokens=9, audio_completion_tokens=4),
            {"audio_prompt_tokens": 2, "audio_completion_tokens": 4},
        ),
        (
            Usage(images=-1, seconds=float("inf"), searches=10**30),
            {"seconds": 2**31 - 1, "searches": 2**31 - 1},
        ),
        (Usage(seconds=float("nan")), {}),
    ],
)
async def test_what_is_not_text_is_in_the_row_by_its_name(
    database: Database,
    ledger: Ledger,
    make_call: MakeCall,
    make_outcome: MakeOutcome,
    usage: Usage,
    units: dict[str, float] | None,
):
    call = make_call()
    await ledger.open(call)
    ledger.settle(call, make_outcome(usage=usage))
    await ledger.stop()
    row = await get_call(database, call.id)
    assert row is not None
    assert row.status == "success"
    assert as_record(row)["units"] == units


async def test_a_call_that_was_never_opened_is_not_invented(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    ledger.settle(make_call(), make_outcome())
    await ledger.stop()
    assert await list_calls(database) == []
    assert await totals(database) == ((0,) * 8, (0,) * 8)


HOSTILE = "\0nul \ud800 half \x1b[31m red \U0001f600 " + "long" * 1000


async def test_whatever_clients_and_providers_write_is_kept_as_far_as_it_fits(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    call = make_call(model=HOSTILE, client_request_id=HOSTILE)
    await ledger.open(call)
    usage = Usage(prompt_tokens=10**30, completion_tokens=-5)
    ledger.settle(
        call,
        make_outcome(
            upstream_model=HOSTILE,
            error_code=HOSTILE,
            error_message=HOSTILE,
            usage=usage,
            cost=10**40,
        ),
    )
    assert await ledger.stop() == 0
    row = await get_call(database, call.id)
    assert row is not None
    assert row.status == "success"
    assert len(row.model) == 200
    assert row.model.startswith("\ufffdnul ? half")
    assert (row.prompt_tokens, row.completion_tokens) == (2**31 - 1, 0)
    assert (await totals(database))[0] == (await totals(database))[1]


async def test_many_calls_at_once(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    async def run(number: int) -> None:
        call = make_call(model=f"mock/{number % 3}")
        await ledger.open(call)
        await asyncio.sleep(0)
        ledger.settle(call, make_outcome(status=("success", "failed", "cancelled")[number % 3]))

    await asyncio.gather(*(run(number) for number in range(500)))
    assert await ledger.stop() == 0
    calls, buckets = await totals(database)
    assert calls == buckets
    assert calls[0] == 500


async def test_with_settle_durability_a_call_is_written_when_it_ends(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    ledger = Ledger(database, durability="settle")
    await ledger.start()
    call = make_call()
    await ledger.open(call)
    assert await list_calls(database) == []
    ledger.settle(call, make_outcome())
    ledger.settle(call, make_outcome(status="failed"))
    assert await ledger.stop() == 0
    row = await get_call(database, call.id)
    assert row is not None
    assert row.status == "success"
    assert await totals(database) == ((1, 0, 10, 20, 3, 0, 4, 1500),) * 2


async def test_a_new_database_gets_its_tables(empty_url: str, make_call: MakeCall):
    database = Database(empty_url)
    ledger = Ledger(database)
    assert not ledger.healthy
    await ledger.start()
    assert ledger.healthy
    await ledger.open(make_call())
    await ledger.stop()
    assert not ledger.healthy
    assert len(await list_calls(database)) == 1
    await database.close()


async def test_a_ledger_that_is_not_running_opens_nothing(database: Database, make_call: MakeCall):
    with pytest.raises(Unavailable):
        await Ledger(database).open(make_call())


async def test_it_may_be_started_again(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    for _ in range(2):
        call = make_call()
        await ledger.open(call)
        ledger.settle(call, make_outcome())
        assert await ledger.stop() == 0
        assert await ledger.stop() == 0
        await ledger.start()
    assert (await totals(database))[1][0] == 2


async def test_a_worker_that_stops_in_order_leaves_no_lease(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    async def leases() -> int:
        async with database.connect() as connection:
            return (await connection.execute(select(func.count()).select_from(workers))).scalar_one()

    assert await leases() == 1
    call = make_call()
    await ledger.open(call)
    ledger.settle(call, make_outcome())
    await ledger.stop()
    assert await leases() == 0


async def test_two_ledgers_in_one_process_know_nothing_of_each_other(
    database: Database, ledger: Ledger, make_call: MakeCall, make_outcome: MakeOutcome
):
    other = Ledger(database)
    await other.start()
    mine, theirs = make_call(), make_call()
    await asyncio.gather(ledger.open(mine), other.open(theirs))
    other.settle(theirs, make_outcome())
    await other.stop()
    again = Ledger(database)
    await again.start()  # recovers, and must leave the living one's call alone
    statuses = {row.id: row.status for row in await list_calls(database)}
    assert statuses == {mine.id: "processing", theirs.id: "success"}
    ledger.settle(mine, make_outcome())
    await ledger.stop()
    await again.stop()
    assert (await totals(database))[0] == (await totals(database))[1]


async def test_a_given_up_opening_leaves_nothing_open(
    database: Database, ledger: Ledger, make_call: MakeCall
):
    calls = [make_call() for _ in range(20)]
    opening = [asyncio.create_task(ledger.open(call)) for call in calls]
    await asyncio.sleep(0)
    for task in opening:
        task.cancel()
    await asyncio.gather(*opening, return_exceptions=True)
    await ledger.stop()
    assert {row.status for row in await list_calls(database)} <= {"cancelled"}
    assert (await totals(database))[0] == (await totals(database))[1]


async def test_a_call_is_refused_while_the_database_is_away(
    tmp_path: Any, make_call: MakeCall, make_outcome: MakeOutcome
):
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    ledger = Ledger(database)
    await ledger.start()
    running = make_call()
    await ledger.open(running)
    ledger._journal._patience = 0.2
    lock = sqlite3.connect(database.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    refused = make_call()
    with pytest.raises(Unavailable):
        await ledger.open(refused)
    assert not ledger.healthy
    ledger.settle(running, make_outcome())
    lock.execute("ROLLBACK")
    lock.close()
    assert await ledger.stop() == 0
    statuses = {row.id: row.status for row in await list_calls(database)}
    assert statuses[running.id] == "success"
    assert statuses.get(refused.id, "failed") == "failed"
    assert ledger.healthy is False
    await database.close()


async def test_the_open_calls_are_found_by_an_index(tmp_path: Any):
    """Recovery looks at every start; it must not read the whole ledger for that."""
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    ledger = Ledger(database)
    await ledger.start()
    async with database.connect() as connection:
        query = "EXPLAIN QUERY PLAN SELECT * FROM model_calls WHERE model_calls.status = 'processing' AND worker = 'x'"
        plan = str((await connection.execute(text(query))).all())
    assert "model_calls_open" in plan
    await ledger.stop()
    await database.close()
