"""Recovery: what the dead left open is settled once, what the living do is left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from gateway.ledger import Ledger
from gateway.ledger.recovery import Recovery
from gateway.ledger.worker import Worker, is_gone, process_start, this_host
from gateway.store import Database
from gateway.store.calls import list_calls
from gateway.store.journal import Journal
from gateway.store.tables import model_calls, usage_buckets, workers
from gateway.types import Call, Outcome

from ...plans import plans_of

MakeCall = Callable[..., Call]
MakeOutcome = Callable[..., Outcome]


async def break_off(journal: Journal) -> None:
    """Stop writing, whatever is queued."""
    journal._closed = True
    await journal._backend.close()
    for timer in (journal._next, journal._patrol):
        if timer is not None:
            timer.cancel()


async def die(ledger: Ledger) -> None:
    """Stop like a killed process: what is queued is gone, the lease stays."""
    await break_off(ledger._journal)
    tasks = [ledger._recovery._task, *ledger._outbox._tasks]
    for task in tasks:
        assert task is not None
        task.cancel()
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
    async with ledger._database.begin() as connection:
        mine = workers.c.id == ledger._worker
        await connection.execute(update(workers).where(mine).values(process_start="another"))


async def statuses(database: Database) -> dict[str, str]:
    return {row.id: row.status for row in await list_calls(database, limit=10_000)}


async def counted(database: Database) -> int:
    async with database.connect() as connection:
        return int(
            (await connection.execute(select(func.coalesce(func.sum(usage_buckets.c.calls), 0)))).scalar_one()
        )


async def leases(database: Database) -> set[str]:
    async with database.connect() as connection:
        return set((await connection.execute(select(workers.c.id))).scalars())


async def test_a_dead_workers_calls_are_settled_as_failed(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    dead = Ledger(database)
    await dead.start()
    done, left = make_call(), make_call()
    await dead.open(done)
    dead.settle(done, make_outcome())
    await dead.open(left)
    await die(dead)
    ledger = Ledger(database)
    await ledger.start()
    assert await statuses(database) == {done.id: "success", left.id: "failed"}
    row = next(row for row in await list_calls(database) if row.id == left.id)
    assert (row.error_code, row.prompt_tokens, row.cost) == ("abandoned", None, None)
    assert await counted(database) == 2
    assert dead._worker not in await leases(database)
    await ledger.stop()


async def test_calls_left_open_by_an_orderly_stop_are_settled_at_the_next_start(
    database: Database, make_call: MakeCall
):
    ledger = Ledger(database)
    await ledger.start()
    call = make_call()
    await ledger.open(call)
    await ledger.stop()
    await ledger.start()
    assert await statuses(database) == {call.id: "failed"}
    await ledger.stop()
    assert await leases(database) == set()


async def test_several_recover_at_once_and_count_once(database: Database, make_call: MakeCall):
    dead = Ledger(database)
    await dead.start()
    calls = [make_call() for _ in range(700)]
    await asyncio.gather(*(dead.open(call) for call in calls))
    await die(dead)
    ledgers = [Ledger(database) for _ in range(4)]
    await asyncio.gather(*(ledger.start() for ledger in ledgers))
    assert set((await statuses(database)).values()) == {"failed"}
    assert await counted(database) == 700
    for ledger in ledgers:
        await ledger.stop()
    assert await leases(database) == set()


async def test_a_settlement_that_comes_too_late_changes_nothing(
    database: Database, make_call: MakeCall, make_outcome: MakeOutcome
):
    paused = Ledger(database)
    await paused.start()
    call = make_call()
    await paused.open(call)
    async with database.begin() as connection:
        await connection.execute(update(workers).values(process_start="another"))
    ledger = Ledger(database)
    await ledger.start()
    paused.settle(call, make_outcome())
    await paused.stop()
    assert await statuses(database) == {call.id: "failed"}
    assert await counted(database) == 1
    await ledger.stop()


async def test_calls_opened_with_intents_are_recovered_by_one_without(
    database: Database, make_call: MakeCall
):
    dead = Ledger(database)
    await dead.start()
    call = make_call()
    await dead.open(call)
    await die(dead)
    ledger = Ledger(database, durability="settle")
    await ledger.start()
    assert await statuses(database) == {call.id: "failed"}
    await ledger.stop()


def on_another_host(**changes: Any) -> dict[str, Any]:
    now = time.time()
    row = {
        "id": "far",
        "host": "elsewhere",
        "pid": 1,
        "process_start": "1",
        "started_at": now,
        "heartbeat_at": now,
    }
    return {**row, **changes}


@pytest.fixture
async def recovery(database: Database):
    """A recovery with a short lease, not running by itself."""
    journal, ledger = Journal(database), Ledger(database)
    await journal.start()
    worker = Worker.this_process()
    recovery = Recovery(database, journal, worker, ledger._settle_opened, lease=0.6, heartbeat=0.05)
    await recovery._register()
    yield recovery
    await recovery.stop()
    await journal.stop(5)


async def open_call_of(database: Database, worker: str, call: Call) -> None:
    row = {
        "id": call.id,
        "request_id": "r",
        "tenant": "acme",
        "capability": "chat",
        "dialect": "openai.chat",
        "model": "m",
        "stream": False,
        "worker": worker,
        "received_at": call.received_at,
        "status": "processing",
    }
    async with database.begin() as connection:
        await connection.execute(insert(model_calls).values(row))


async def test_a_worker_elsewhere_is_dead_once_its_heartbeat_stands_still(
    database: Database, recovery: Recovery, make_call: MakeCall
):
    async with database.begin() as connection:
        # An old heartbeat proves nothing: that host's clock may be wrong.
        await connection.execute(insert(workers).values(on_another_host(heartbeat_at=0.0)))
    call = make_call()
    await open_call_of(database, "far", call)
    assert await recovery.recover() == 0
    for beat in range(8):
        await asyncio.sleep(0.05)
        async with database.begin() as connection:
            await connection.execute(
                update(workers).where(workers.c.id == "far").values(heartbeat_at=beat + 1.0)
            )
        assert await recovery.recover() == 0
    while await recovery.recover() == 0:
        await asyncio.sleep(0.05)
    assert await statuses(database) == {call.id: "failed"}
    assert "far" not in await leases(database)


async def test_nobody_dies_while_nobody_watches(database: Database, recovery: Recovery, make_call: MakeCall):
    async with database.begin() as connection:
        await connection.execute(insert(workers).values(on_another_host()))
    await open_call_of(database, "far", make_call())
    assert await recovery.recover() == 0
    await asyncio.sleep(0.8)  # as when this machine slept, or the database was away
    assert await recovery.recover() == 0


async def test_a_call_whose_worker_is_not_known_is_settled_after_a_while(
    database: Database, recovery: Recovery, make_call: MakeCall
):
    now = time.time()
    old, new = make_call(received_at=now - 10), make_call(received_at=now + 60)
    await open_call_of(database, "never", old)
    await open_call_of(database, "never", new)
    assert await recovery.recover() == 1
    assert await statuses(database) == {old.id: "failed", new.id: "processing"}


async def test_looking_for_open_calls_does_not_walk_along_those_that_have_ended(sqlite: Database):
    """Every worker does so every few seconds, however long the ledger has become."""
    journal, ledger = Journal(sqlite), Ledger(sqlite)
    await journal.start()
    recovery = Recovery(sqlite, journal, Worker.this_process(), ledger._settle_opened)
    plans = await plans_of(sqlite, recovery.recover())
    await journal.stop(5)
    walks = [plan for plan in plans if "model_calls" in plan]
    assert walks
    assert all("USING INDEX model_calls_open" in plan for plan in walks), plans


async def test_the_heartbeat_beats(database: Database, recovery: Recovery):
    async def heartbeat() -> float:
        async with database.connect() as connection:
            query = select(workers.c.heartbeat_at).where(workers.c.id == recovery._worker.id)
            return (await connection.execute(query)).scalar_one()

    before = await heartbeat()
    await recovery.start()
    while await heartbeat() == before:
        await asyncio.sleep(0.01)


async def test_a_worker_that_lost_its_lease_notices_and_takes_a_new_one(
    database: Database, recovery: Recovery, caplog: pytest.LogCaptureFixture
):
    async with database.begin() as connection:
        await connection.execute(workers.delete())
    await recovery._beat()
    assert "others took it for dead" in caplog.text
    assert await leases(database) == {recovery._worker.id}


def test_a_process_is_known_again_by_its_start():
    me = process_start(os.getpid())
    assert me is not None
    assert not is_gone(this_host(), os.getpid(), me)
    assert not is_gone("elsewhere", os.getpid(), "another")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(child.pid)
    assert start is not None
    assert not is_gone(this_host(), child.pid, start)
    child.kill()
    if sys.platform == "linux":
        assert is_gone(this_host(), child.pid, "another")
        while (
            process_start(child.pid) is not None
        ):  # a zombie, which nobody has waited for, has ended as well
            time.sleep(0.01)
    child.communicate()
    assert is_gone(this_host(), child.pid, start)


CHILD = """
import asyncio, os, sys, time
from gateway.ledger import Ledger
from gateway.store import Database
from gateway.types import Call, Outcome, Principal, Usage

async def run(ledger, number):
    while True:
        now = time.time()
        call = Call(
            id=f"{int(now * 1000):012x}{os.urandom(8).hex()}", request_id="r", client_request_id=None,
            capability="chat", dialect="openai.chat", model=f"m{number % 3}", stream=False, shows_usage=False, body=b"",
            principal=Principal(tenant="acme", authenticator="test"), received_at=now,
        )
        await ledger.open(call)
        os.write(1, call.id.encode() + b"\\n")  # the provider's own journal: it has seen this call
        await asyncio.sleep(0.001 * (number % 5))
        usage = Usage(prompt_tokens=3, completion_tokens=4)
        ledger.settle(call, Outcome(status="success", provider="p", ended_at=time.time(), usage=usage, cost=7))

async def main():
    ledger = Ledger(Database(sys.argv[1]))
    await ledger.start()
    await asyncio.gather(*(run(ledger, number) for number in range(100)))

asyncio.run(main())
"""


async def test_kill_9_loses_no_call_the_provider_saw(database_url: str, tmp_path: Path):
    database = Database(database_url)
    seen: set[str] = set()
    for number in range(4):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, database_url, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        async for line in child.stdout:
            seen.add(line.decode().strip())
            if len(seen) > (number + 1) * 700:
                child.send_signal(signal.SIGKILL)
                break
        seen.update(
            line.decode().strip() for line in (await child.stdout.read()).splitlines() if len(line) == 28
        )
        assert await child.wait() == -signal.SIGKILL
    ledger = Ledger(database)
    await ledger.start()
    found = await statuses(database)
    assert seen <= found.keys()
    assert set(found.values()) <= {"success", "failed"}
    assert await counted(database) == len(found)
    assert await leases(database) == {ledger._worker}
    await ledger.stop()
    await database.close()
