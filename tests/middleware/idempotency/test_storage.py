"""Workers that die, databases that go away, and answers whose time is over."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from sqlalchemy import insert, update
from starlette.types import Message

import gateway_idempotency.desk
from gateway.errors import InvalidRequest, Unavailable
from gateway.identity.retention import Retention
from gateway.store import Database
from gateway.store.forgetting import forget_stored
from gateway.store.identity_tables import kept_answers
from gateway.store.kept_answers import keep_answer
from gateway.store.money_tables import answered_calls
from gateway.store.tables import workers
from gateway_idempotency.asked import Asked
from gateway_idempotency.desk import Desk
from gateway_idempotency.recording import Recording

from .conftest import Serve
from .served import CHAT, HI, Served


async def left_behind(served: Served, worker: str, **values: Any) -> Asked:
    """Put a request of another worker into the database, the same as `served.chat()` makes; return what it asks."""
    await served.chat()
    (row,) = await served.kept()
    async with served.database.begin() as connection:
        empty = {"status": None, "answer": None, "worker": worker}
        await connection.execute(update(kept_answers).values(**empty, **values))
    served.provider.attempts.clear()
    return Asked(tenant=row.tenant, id=row.id, key=row.key, fingerprint=row.fingerprint)


async def test_a_dead_workers_key_is_taken_over(serve: Serve) -> None:
    async with serve() as served:
        await left_behind(served, "dead")
        answer = await served.chat()
        assert answer.status_code == 200
        assert "idempotent-replayed" not in answer.headers
        assert len(served.provider.attempts) == 1
        assert "idempotent-replayed" in (await served.chat()).headers


async def test_what_a_dead_worker_has_billed_is_not_made_again(serve: Serve) -> None:
    async with serve() as served:
        await served.chat()
        async with asyncio.timeout(30):  # the settlement may come after the answer
            while not (bills := await served.billed()):
                await asyncio.sleep(0.01)
        asked = await left_behind(served, "dead")
        async with served.database.begin() as connection:
            await connection.execute(update(answered_calls).values(worker="dead"))
        answers = await asyncio.gather(*(served.chat(stream=False) for _ in range(5)))
        for answer in [*answers, await served.chat()]:
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (410, "idempotency_answer_lost")
            assert bills[0].call in error["message"]
            assert answer.headers["x-should-retry"] == "false"
        assert (await served.chat("other")).status_code == 422
        assert served.provider.attempts == []
        await forget_stored(served.database, asked.tenant, keys=[asked.key or ""])
        assert (await served.kept(), await served.billed()) == ([], [])
        assert (await served.chat()).status_code == 200


async def test_a_batch_that_a_dead_worker_has_begun_is_not_begun_again(serve: Serve) -> None:
    line = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "fake/good", "messages": HI}}
    async with serve() as served:
        file = await served.sdk.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
        asked: dict[str, Any] = {
            "input_file_id": file.id,
            "endpoint": CHAT,
            "completion_window": "24h",
            "extra_headers": {"Idempotency-Key": "b-1"},
        }
        batch = await served.sdk.batches.create(**asked)
        assert (await served.sdk.batches.create(**asked)).id == batch.id
        async with served.database.begin() as connection:  # killed before the answer was kept
            await connection.execute(update(kept_answers).values(status=None, answer=None, worker="dead"))
            await connection.execute(update(answered_calls).values(worker="dead"))
        for _ in range(2):
            with pytest.raises(openai.APIStatusError, match=batch.id) as lost:
                await served.sdk.batches.create(**asked)
            assert (lost.value.status_code, lost.value.code) == (410, "idempotency_answer_lost")
        assert [each.id for each in (await served.sdk.batches.list()).data] == [batch.id]
        await served.settled(1)


async def test_what_is_billed_before_its_answer_could_be_kept_is_noted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = True

    async def keep(*args: Any, **named: Any) -> None:
        if down:
            raise Unavailable("The database is away.")
        await keep_answer(*args, **named)

    monkeypatch.setattr(gateway_idempotency.desk, "keep_answer", keep)
    monkeypatch.setattr(gateway_idempotency.desk, "_TRY_AGAIN", 0.05)
    async with serve(held=True) as served:
        asked: dict[str, Any] = {
            "model": "fake/good",
            "input": "Hello?",
            "background": True,
            "extra_headers": {"Idempotency-Key": "r-1"},
        }
        create: Any = served.sdk.responses.create
        response = await create(**asked)
        assert response.status == "queued"
        served.provider.go.set()
        await served.settled(1)
        (bill,) = await served.billed()
        down = False
        async with asyncio.timeout(30):
            while (await served.kept())[0].status is None:
                await asyncio.sleep(0.02)
        assert (await create(**asked)).id == response.id
        async with served.database.begin() as connection:  # killed in between
            await connection.execute(update(kept_answers).values(status=None, answer=None, worker="dead"))
            await connection.execute(update(answered_calls).values(worker="dead"))
        with pytest.raises(openai.APIStatusError, match=bill.call) as lost:
            await create(**asked)
        assert lost.value.status_code == 410
        assert len(served.provider.attempts) == 1


async def test_an_answer_that_breaks_off_after_it_was_billed_is_lost(serve: Serve) -> None:
    async with serve() as served:
        desk = Desk(served.database, "w", seconds=60, most=100)
        asked = Asked(tenant="t", id="i", key=None, fingerprint=b"f" * 32)
        for billed, again in (([], None), (["call_1"], "call_1")):
            entry = await desk.take(asked)
            entry.billed += billed
            async with served.database.begin() as connection:
                rows = [{"call": call, "tenant": "t", "answer": "i", "worker": "w"} for call in billed]
                if rows:
                    await connection.execute(insert(answered_calls), rows)
            await desk.close(entry, whole=False)
            if again is not None:
                with pytest.raises(InvalidRequest, match=again):
                    await desk.take(asked)


async def test_a_living_worker_is_waited_for(serve: Serve) -> None:
    async with serve() as served:
        async with served.database.begin() as connection:
            row = {"id": "other", "host": "h", "pid": 1, "process_start": "", "started_at": 0.0}
            await connection.execute(insert(workers).values(**row, heartbeat_at=time.time()))
        asked = await left_behind(served, "other")
        waiting = [asyncio.create_task(served.chat()) for _ in range(5)]
        with pytest.raises(openai.UnprocessableEntityError):
            await served.sdk.chat.completions.create(
                model="fake/good", messages=[], extra_headers={"Idempotency-Key": "k-1"}
            )
        recording = Recording(100)
        recording.note({"type": "http.response.start", "status": 200, "headers": [(b"x-from", b"other")]})
        recording.note({"type": "http.response.body", "body": b"the other's"})
        await keep_answer(
            served.database,
            asked.tenant,
            asked.id,
            worker="other",
            status=200,
            answer=recording.encoded(),
        )
        for answer in await asyncio.gather(*waiting):
            assert (answer.content, answer.headers["x-from"]) == (b"the other's", "other")
            assert answer.headers["idempotent-replayed"] == "true"
        assert served.provider.attempts == []


async def test_an_answer_past_its_time_is_forgotten(serve: Serve) -> None:
    async with serve(hours=2) as served:
        await served.chat()
        (row,) = await served.kept()
        assert row.expires_at - row.created_at == pytest.approx(7200)
        async with served.database.begin() as connection:
            await connection.execute(update(kept_answers).values(expires_at=time.time() - 1))
        assert "idempotent-replayed" not in (await served.chat()).headers
        assert len(served.provider.attempts) == 2
        async with served.database.begin() as connection:
            await connection.execute(update(kept_answers).values(expires_at=time.time() - 1))
        assert await Retention(served.database).look()
        assert await served.kept() == []


async def test_answers_are_erased_with_what_else_a_tenant_has_stored(serve: Serve) -> None:
    async with serve() as served:
        for tenant in ("acme", "globex"):
            await served.chat(headers={"x-tenant": tenant})
        await forget_stored(served.database, "acme", before=time.time() - 60)
        await forget_stored(served.database, "acme", keys=["key_globex"])
        assert {row.tenant for row in await served.kept()} == {"acme", "globex"}
        await forget_stored(served.database, "acme", keys=["key_acme"])
        assert {row.tenant for row in await served.kept()} == {"globex"}
        await forget_stored(served.database, "globex", before=time.time() + 1)
        assert await served.kept() == []


async def test_while_the_database_is_away_the_worker_knows_by_heart(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    async with serve() as served:
        with monkeypatch.context() as patch:
            patch.setattr(gateway_idempotency.desk, "keep_answer", away)
            patch.setattr(gateway_idempotency.desk, "_TRY_AGAIN", 0.05)
            first = await served.chat()
            again = await served.chat()
            assert first.content == again.content
            assert [row.status for row in await served.kept()] == [None]
        async with asyncio.timeout(30):
            while [row.status for row in await served.kept()] != [200]:
                await asyncio.sleep(0.02)
        assert "idempotent-replayed" in (await served.chat()).headers
        assert len(served.provider.attempts) == 1


async def test_who_asks_when_the_database_is_away_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    async with serve() as served:
        monkeypatch.setattr(gateway_idempotency.desk, "claim_answer", away)
        answers = await asyncio.gather(*(served.chat() for _ in range(3)))
        assert {answer.status_code for answer in answers} == {503}
        monkeypatch.undo()
        assert (await served.chat()).status_code == 200


async def test_only_one_of_many_desks_is_given_a_key(migrated: Path, tmp_path: Path) -> None:
    shutil.copy(migrated, tmp_path / "gateway.db")
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    names = [f"w{number}" for number in range(4)]
    async with database.begin() as connection:
        for name in names:
            row = {"id": name, "host": "h", "pid": 1, "process_start": "", "started_at": 0.0}
            await connection.execute(insert(workers).values(**row, heartbeat_at=0.0))
    desks = [Desk(database, name, seconds=60, most=100) for name in names]
    made = 0

    async def ask(desk: Desk) -> bytes:
        nonlocal made
        asked = Asked(tenant="t", id="i", key=None, fingerprint=b"f" * 32)
        entry = await desk.take(asked)
        if entry.asked is asked and entry.mine:
            made += 1
            entry.recording.note({"type": "http.response.start", "status": 200, "headers": []})
            entry.recording.note({"type": "http.response.body", "body": b"made %d" % made})
            await desk.close(entry, whole=True)
        got: list[bytes] = []

        async def send(message: Message) -> None:
            got.append(message.get("body", b""))

        assert await entry.recording.follow(send)
        return b"".join(got)

    assert {*await asyncio.gather(*(ask(desk) for desk in desks * 5))} == {b"made 1"}
    with pytest.raises(InvalidRequest, match="another request"):
        await desks[0].take(Asked(tenant="t", id="i", key=None, fingerprint=b"g" * 32))
    await database.close()
