"""Which answers are kept, and what becomes of those that are not."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

import gateway_idempotency.desk
from gateway.store.kept_answers import LOST, TOO_LARGE

from .conftest import Serve
from .served import Caller, Served


@pytest.mark.parametrize(
    ("model", "stream", "status"),
    [("fail", False, 429), ("broken", False, 500), ("cut", True, 200), ("fail", True, 429)],
)
async def test_what_may_go_well_another_time_is_not_kept(
    serve: Serve, model: str, stream: bool, status: int
) -> None:
    async with serve() as served:
        for attempt in (1, 2):
            caller = Caller(served.gateway, model=model, stream=stream)
            await caller.task
            assert (caller.status, len(served.provider.attempts)) == (status, attempt)
            assert caller.ended == (model != "cut")
            assert b"idempotent-replayed" not in caller.headers
        assert await served.kept() == []


async def test_a_refusal_for_good_is_kept(serve: Serve) -> None:
    async with serve() as served:
        first, again = await served.chat("refused"), await served.chat("refused")
        assert (first.status_code, again.status_code) == (400, 400)
        assert first.content == again.content
        assert "idempotent-replayed" in again.headers
        assert len(served.provider.attempts) == 1


async def test_who_waits_for_a_failure_gets_it(serve: Serve) -> None:
    async with serve(held=True) as served:
        callers = [Caller(served.gateway, model="cut", stream=True) for _ in range(3)]
        await asyncio.gather(*(caller.until(b"Hello") for caller in callers))
        served.provider.go.set()
        await asyncio.gather(*(caller.task for caller in callers))
        assert len({b"".join(caller.pieces) for caller in callers}) == 1
        assert b"upstream_cut" in callers[0].body
        assert not any(caller.ended for caller in callers)
        assert len(served.provider.attempts) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_finds_its_answer_when_it_comes_again(
    serve: Serve, stream: bool
) -> None:
    async with serve(held=True) as served:
        caller = Caller(served.gateway, stream=stream)
        await served.provider.reached.wait()
        caller.leave()
        await asyncio.sleep(0.6)  # two ticks of the watch over running calls
        served.provider.go.set()
        await caller.task
        answer = await served.chat(stream=stream)
        assert answer.headers["idempotent-replayed"] == "true"
        assert len(served.provider.attempts) == 1
        await served.settled(1)


async def test_what_is_stopped_before_its_answer_is_tried_by_the_next_in_line(serve: Serve) -> None:
    async with serve(held=True) as served:
        first, second = (Caller(served.gateway, stream=False) for _ in range(2))
        await served.provider.reached.wait()
        first.task.cancel()
        await asyncio.wait([first.task])
        served.provider.go.set()
        await second.task
        assert second.ended
        assert b"idempotent-replayed" not in second.headers
        assert len(served.provider.attempts) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_too_large_is_given_once(serve: Serve, stream: bool) -> None:
    async with serve(max_answer_bytes=2000) as served:
        first = await served.chat("long", stream=stream)
        assert first.status_code == 200
        assert len(first.content) > 5000
        again = await served.chat("long", stream=stream)
        assert again.status_code == 410
        assert again.json()["error"]["code"] == "idempotency_answer_too_large"
        (row,) = await served.kept()
        assert (row.status, row.answer) == (TOO_LARGE, None)
        assert len(served.provider.attempts) == 1


async def refuse(served: Served, which: str = "") -> None:
    """Let the database refuse changes of answers."""
    trigger = (
        f"CREATE TRIGGER refuse BEFORE UPDATE ON kept_answers {which} BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    async with served.database.begin() as connection:
        await connection.execute(text(trigger))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_the_database_does_not_take_reaches_its_client(
    serve: Serve, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as served:
        await refuse(served, "WHEN NEW.answer IS NOT NULL")
        caller = Caller(served.gateway, stream=stream)
        await caller.task
        assert (caller.status, caller.ended) == (200, True)
        assert b"Hello" in caller.body
        assert [row.status for row in await served.kept()] == [LOST]
        await served.settled(1)
        for _ in range(2):
            again = await served.chat(stream=stream)
            assert (again.status_code, again.json()["error"]["code"]) == (410, "idempotency_answer_lost")
        assert len(served.provider.attempts) == 1
        assert [each for each in caplog.messages if "cannot be kept: no" in each]
        assert "Hello" not in caplog.text


async def test_a_refusal_that_the_database_does_not_take_may_be_met_again(serve: Serve) -> None:
    async with serve() as served:
        await refuse(served, "WHEN NEW.answer IS NOT NULL")
        first, again = await served.chat("refused"), await served.chat("refused")
        assert (first.status_code, again.status_code) == (400, 400)
        assert len(served.provider.attempts) == 2


async def test_while_the_database_takes_nothing_the_worker_knows_by_heart(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_idempotency.desk, "_TRY_AGAIN", 0.05)
    async with serve() as served:
        await refuse(served)
        first, again = await served.chat(), await served.chat()
        assert (first.status_code, again.content) == (200, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        async with served.database.begin() as connection:
            await connection.execute(text("DROP TRIGGER refuse"))
        async with asyncio.timeout(30):
            while [row.status for row in await served.kept()] != [200]:
                await asyncio.sleep(0.02)
        assert len(served.provider.attempts) == 1
