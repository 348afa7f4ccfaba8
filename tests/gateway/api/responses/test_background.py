"""Responses in the background: cancelled, deleted, failed, and left behind by a process that died."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from gateway import Gateway
from gateway.api.responses import background, keeper
from gateway.api.responses.events import Corrections
from gateway.store import Database
from gateway.store.calls import list_calls
from gateway.store.responses import StoredResponse, added
from gateway.testing.fakes import make_call

PATH = "/v1/responses"
Build = Callable[..., Gateway]
HANGS = {"model": "mock/echo", "input": "wait for it @hang", "background": True}
STALLS = {
    "model": "mock/echo",
    "input": "one two three four five six @hang=5",
    "background": True,
    "stream": True,
}
LEFT = StoredResponse(
    tenant="default",
    id="resp_left",
    key=None,
    model="m",
    status="in_progress",
    previous=None,
    call="call_left",
    background=True,
    stream=True,
    worker="a dead one",
    created_at=1_790_000_000,
    expires_at=10_000_000_000,
    input=b"[]",
    response=b'{"id":"resp_left","object":"response","status":"queued","output":[]}',
)


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until it gives something true, and return that."""
    async with asyncio.timeout(30):
        while not (value := await condition()):
            await asyncio.sleep(0.02)
    return value


async def only_call(gateway: Gateway, status: str) -> Any:
    """The one row of the ledger, once it has that status."""
    rows = await list_calls(gateway._database)
    return rows[0] if rows and rows[0].status == status else None


async def test_a_running_one_is_cancelled(build: Build) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        queued = (await client.post(PATH, json=HANGS)).json()
        one = f"{PATH}/{queued['id']}"

        async def begun() -> bool:
            return (await client.get(one)).json()["status"] == "in_progress"

        await until(begun)
        cancelled = (await client.post(f"{one}/cancel")).json()
        assert cancelled["status"] == "cancelled"
        call = await until(lambda: only_call(gateway, "cancelled"))
        assert call.error_code in {"cancelled", "not_opened"}, "stopped while it ran, or just before"
        assert gateway.running == 0
        assert (await client.get(one)).json()["status"] == "cancelled"


async def test_a_running_one_is_deleted(build: Build) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        queued = (await client.post(PATH, json=HANGS)).json()
        assert (await client.delete(f"{PATH}/{queued['id']}")).json()["deleted"]

        async def over() -> bool:
            return gateway.running == 0 and not gateway._background._tasks

        await until(over)
        assert (await client.get(f"{PATH}/{queued['id']}")).status_code == 404


async def test_another_process_cancels(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATROL_SECONDS", 0.05)
    one, other = build(), build()
    async with one.lifespan(), other.lifespan(), one.client as here, other.client as there:
        queued = (await here.post(PATH, json=HANGS)).json()
        await until(lambda: only_call(one, "processing"))
        assert (await there.post(f"{PATH}/{queued['id']}/cancel")).json()["status"] == "cancelled"
        await until(lambda: only_call(one, "cancelled"))


async def test_one_that_has_not_begun_is_cancelled(build: Build) -> None:
    """Its provider never hears of it, and neither does the ledger."""
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        row = msgspec.structs.replace(LEFT, status="cancelled", worker=None)
        await gateway._responses.write((added(row),))
        call = make_call({"model": "mock/echo", "input": "x"}, dialect="openai.responses")
        waiting = msgspec.structs.replace(row, worker=gateway._responses.worker)
        await gateway._background.start(call, waiting, Corrections({}))

        async def over() -> bool:
            return not gateway._background._tasks

        await until(over)
        assert await list_calls(gateway._database) == []
        assert (await client.get(f"{PATH}/{row.id}")).json()["status"] == "cancelled"


async def test_another_process_follows(build: Build) -> None:
    one, other = build(), build()
    async with one.lifespan(), other.lifespan(), one.client as here, other.client as there:
        queued = (await here.post(PATH, json={**STALLS, "input": "a b c", "stream": True})).text
        created = json.loads(queued.split("\n\n")[0].partition("data: ")[2])
        followed = await there.get(f"{PATH}/{created['response']['id']}?stream=true")
        assert followed.text == queued


async def test_whoever_follows_a_cancelled_one_is_told(build: Build) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        following = asyncio.ensure_future(client.post(PATH, json=STALLS))
        running = await until(lambda: _ids(gateway))
        await client.post(f"{PATH}/{running[0]}/cancel")
        events = (await following).text.split("\n\n")[:-1]
        last = json.loads(events[-1].partition("data: ")[2])
        assert (last["type"], last["response"]["status"]) == ("response.failed", "cancelled")


async def _ids(gateway: Gateway) -> list[str]:
    from sqlalchemy import select

    from gateway.store.stored_tables import responses

    async with gateway._database.connect() as connection:
        query = select(responses.c.id).where(responses.c.status == "in_progress")
        return list((await connection.execute(query)).scalars())


@pytest.mark.parametrize(
    ("message", "code"), [("x @status=429", "rate_limit_exceeded"), ("x @status=500", "server_error")]
)
async def test_a_failure_is_kept(build: Build, message: str, code: str) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        body = {"model": "mock/echo", "input": message, "background": True}
        one = f"{PATH}/{(await client.post(PATH, json=body)).json()['id']}"

        async def failed() -> Any:
            found = (await client.get(one)).json()
            return found if found["status"] == "failed" else None

        assert (await until(failed))["error"]["code"] == code
        assert (await client.get(f"{one}?stream=true")).status_code == 400


async def test_it_is_metered_as_every_call(build: Build) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        await client.post(PATH, json={"model": "mock/echo", "input": "Hello", "background": True})
        call = await until(lambda: only_call(gateway, "success"))
        assert (call.capability, call.dialect) == ("responses", "openai.responses")
        assert call.completion_tokens > 0


async def test_a_shutdown_fails_what_still_runs(build: Build) -> None:
    gateway = build(gateway={"drain_seconds": 0.1})
    async with gateway.lifespan(), gateway.client as client:
        queued = (await client.post(PATH, json=HANGS)).json()
        await until(lambda: only_call(gateway, "processing"))
    again = build()
    async with again.lifespan(), again.client as client:
        left = (await client.get(f"{PATH}/{queued['id']}")).json()
        assert (left["status"], left["error"]["code"]) == ("failed", "server_error")


async def test_what_a_dead_process_left_behind_is_failed(
    build: Build, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "PATROL_SECONDS", 0.05)
    database = Database(database_url)
    old = msgspec.structs.replace(LEFT, id="resp_old", worker=None, expires_at=time.time() - 1)
    gateway = build()
    async with gateway.lifespan(), gateway.client as client:
        await gateway._responses.write((added(LEFT), added(old)))

        async def failed() -> Any:
            found = (await client.get(f"{PATH}/resp_left")).json()
            return found if found["status"] == "failed" else None

        assert (await until(failed))["error"]["code"] == "server_error"
        followed = await client.get(f"{PATH}/resp_left?stream=true")
        assert json.loads(followed.text.partition("data: ")[2])["type"] == "response.failed"
        assert (await client.get(f"{PATH}/resp_old")).status_code == 404
    await database.close()
