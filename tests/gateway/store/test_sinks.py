"""What the operator sees of sinks, and sending calls again; and the table of events, on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import insert, select

from gateway.ledger import Ledger
from gateway.plugin import Context
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.deliveries import Dead, note_delivery, note_failure
from gateway.store.sinks import letters, replay_calls, replay_dead, replay_period, states
from gateway.store.tables import outbox
from gateway.testing.contracts.sink import RECORD
from gateway.types import Call, Outcome
from gateway.upstream import Client
from gateway_events.table import Table, TableConfig
from gateway_events.tables import usage_events

ME = Actor(kind="command", id="me")


async def test_calls_are_sent_again_once_each_and_open_ones_never(
    database: Database, make_call: Callable[..., Call], make_outcome: Callable[..., Outcome]
):
    ledger = Ledger(database)
    await ledger.start()
    calls = [make_call() for _ in range(4)]
    for number, call in enumerate(calls):
        await ledger.open(call)
        if number < 3:
            ledger.settle(call, make_outcome(ended_at=1000.0 + number))
    await ledger.stop()
    ids = [call.id for call in calls]
    assert await replay_period(database, "a", 1001.0, 1002.0, ME) == 1
    assert await replay_calls(database, "a", [ids[1], ids[2], ids[3], "none"], ME) == 1
    async with database.connect() as connection:
        waiting = (await connection.execute(select(outbox.c.sink, outbox.c.call, outbox.c.attempts))).all()
    assert sorted(tuple(row) for row in waiting) == sorted([("a", ids[1], 0), ("a", ids[2], 0)])

    for _ in range(2):  # it may die twice
        await note_delivery(
            database, "b", gone=[], taken=2, dead=[Dead(call=ids[0], attempts=3, error="no\n")]
        )
    await note_failure(database, "c", "away \x00" + "x" * 5000)
    (letter,) = await letters(database, sink="b", limit=5)
    assert (letter.call, letter.attempts, letter.error) == (ids[0], 3, "no")
    assert await letters(database, sink="a", limit=5) == []
    found = {state.sink: state for state in await states(database, ["a", "configured"])}
    assert list(found) == ["a", "b", "c", "configured"]
    assert (found["a"].waiting, found["a"].lag > time.time() - 2000) == (2, True)
    assert (found["b"].delivered, found["b"].dead, found["b"].waiting) == (4, 1, 0)
    assert (found["c"].failed_at is not None, len(found["c"].error or "")) == (True, 500)
    assert found["configured"].delivered == 0

    assert await replay_dead(database, "b", ME) == 1
    assert await letters(database, sink=None, limit=5) == []
    async with database.begin() as connection:
        await connection.execute(insert(outbox).values(sink="d", call="deleted"))
    (_, b, _, d) = await states(database, [])
    assert (b.waiting, b.dead, d.waiting, d.lag) == (1, 0, 1, 0.0)


async def test_the_table_of_events_has_each_call_once(database: Database, database_url: str):
    config = TableConfig.model_validate({"url": database_url})
    sink = Table("archive", config, Context(client=Client(), database=database))
    await sink.deliver([RECORD])
    await sink.deliver([RECORD, {**RECORD, "id": "call_2"}])
    await sink.shutdown()
    async with database.connect() as connection:
        rows = (await connection.execute(select(usage_events).order_by(usage_events.c.id))).all()
    assert [row.id for row in rows] == [RECORD["id"], "call_2"]
    ended = rows[0].time if rows[0].time.tzinfo else rows[0].time.replace(tzinfo=UTC)  # SQLite keeps no zone
    assert ended == datetime.fromisoformat(RECORD["ended_at"])
    assert rows[0].event["data"]["usage"]["completion_tokens"] == 5
