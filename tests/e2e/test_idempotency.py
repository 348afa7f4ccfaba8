"""`Idempotency-Key` with several workers: one call and one bill for fifty requests, also when a worker is killed."""

from __future__ import annotations

import asyncio
import collections
import os
import signal
from collections.abc import Callable

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from .support.process import Deployment, until
from .support.tables import check_books, query
from .support.upstream import USAGE, Exchange, Handler, Upstream, completion

CONFIG = """
[gateway]
database = "{database}"
[auth.apikey]
[middleware.idempotency]
[provider.up]
use = "openai"
base_url = "{base_url}"
"""
CLIENTS = 50
Asking = asyncio.Future[list[tuple[bytes, bool] | BaseException]]


class Crowd:
    """The official SDK, with a connection for each request, and requests spread over all workers."""

    def __init__(self, served: Deployment, key: str, workers: int) -> None:
        http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0), verify=False)
        self.sdk = AsyncOpenAI(
            base_url=f"{served.url}/v1", api_key=key, http_client=http, max_retries=0, timeout=60
        )
        until(lambda: len(served.processes()) == 1 + workers)
        self.pids = served.processes()[1:]

    async def ask(self, said: str, *, stream: bool = False) -> tuple[bytes, bool]:
        """Ask under the key `said`; return the body, and whether it was replayed."""
        answer = await self.sdk.chat.completions.with_raw_response.create(
            model="up/m",
            messages=[{"role": "user", "content": said}],
            stream=stream,
            extra_headers={"Idempotency-Key": said},
        )
        return await answer.http_response.aread(), "idempotent-replayed" in answer.headers

    async def ask_all(self, said: str, *, stream: bool = False) -> Asking:
        """Ask fifty times, each worker in turn, which is awake alone for that; return what will be answered."""
        asking: list[asyncio.Task[tuple[bytes, bool]]] = []
        for pid in self.pids:
            others = [other for other in self.pids if other != pid]
            for other in others:
                os.kill(other, signal.SIGSTOP)
            share = range(len(asking), CLIENTS if pid == self.pids[-1] else len(asking) + CLIENTS // 4)
            asking += [asyncio.create_task(self.ask(said, stream=stream)) for _ in share]
            await asyncio.sleep(0.5)  # for it to accept them
            for other in others:
                os.kill(other, signal.SIGCONT)
        return asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_fifty_requests_are_one_call(
    deploy: Callable[..., Deployment],
    database: str,
    base_url: str,
    upstream: Callable[[Handler], Upstream],
) -> None:
    reached: collections.Counter[str] = collections.Counter()
    go = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        said = exchange.said
        reached[said] += 1
        if said in {"killed", "crashed"} and reached[said] == 1:
            await exchange.hang()
            return
        await go.wait()
        if exchange.json.get("stream"):
            await exchange.begin()
            for word in ("one", "two", "three"):
                await exchange.say(word)
            await exchange.finish(USAGE)
        else:
            await exchange.answer(completion(f"call {reached[said]}"))

    workers = 4 if database.startswith("postgresql") else 2
    served = deploy(CONFIG.format(database=database, base_url=base_url), start=False)
    key = served.key()["key"]
    await asyncio.to_thread(served.start, "--workers", str(workers))
    crowd = await asyncio.to_thread(Crowd, served, key, workers)
    async with upstream(handler), crowd.sdk:
        for said, stream in (("whole", False), ("streamed", True)):
            go.clear()
            asking = await crowd.ask_all(said, stream=stream)
            go.set()
            answers = await asking
            given = {answer[0] for answer in answers if isinstance(answer, tuple)}
            assert len(given) == 1, answers
            assert sum(answer[1] for answer in answers if isinstance(answer, tuple)) == CLIENTS - 1
            assert reached[said] == 1
            assert await crowd.ask(said, stream=stream) == (given.pop(), True)
        with pytest.raises(openai.UnprocessableEntityError):
            await crowd.ask("whole", stream=True)

        # One worker is killed in the midst of a call; the others wait for that to be known, and one makes it again.
        asking = await crowd.ask_all("killed")
        async with asyncio.timeout(30):
            while not reached["killed"]:
                await asyncio.sleep(0.02)
        found = "SELECT pid FROM workers WHERE id = (SELECT worker FROM kept_answers WHERE status IS NULL)"
        ((pid,),) = await query(database, served.folder, found)
        os.kill(pid, signal.SIGKILL)
        answers = await asking
        given = {answer[0] for answer in answers if isinstance(answer, tuple)}
        assert len(given) == 1, answers
        assert b"call 2" in given.pop()
        assert all(isinstance(answer, tuple | openai.APIConnectionError) for answer in answers)
        assert reached["killed"] == 2

        # All of them are killed; the key is free when they are back.
        asking = asyncio.create_task(crowd.ask("crashed"))
        async with asyncio.timeout(30):
            while not reached["crashed"]:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(served.kill)
        with pytest.raises(openai.APIConnectionError):
            await asking
        await asyncio.to_thread(served.start)
        answer, replayed = await crowd.ask("crashed")
        assert b"call 2" in answer
        assert not replayed
        assert await crowd.ask("crashed") == (answer, True)
    assert await asyncio.to_thread(served.stop) == 0
    assert await check_books(database, served.folder) == sum(reached.values()) == 6
    statuses = await query(
        database, served.folder, "SELECT status, count(*) FROM model_calls GROUP BY status"
    )
    assert dict(statuses) == {"success": 4, "failed": 2}
