"""`kill -9` with hundreds of calls in flight: the ledger knows every call that a provider saw, once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import socket
import uuid
from collections.abc import Callable

import pytest

from .support.process import Deployment
from .support.raw import chat_body, request
from .support.tables import check_books, query
from .support.upstream import USAGE, Exchange, Handler, Upstream, completion

ROUNDS = 20
CLIENTS = 200

CONFIG = """
[gateway]
database = "{database}"
[auth.apikey]
[provider.up]
use = "openai"
base_url = "{base_url}"
"""


class Crowd:
    """Clients that call without pause, and begin anew whatever happens to them."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._tasks = [asyncio.ensure_future(self._call_on(n % 2 == 0)) for n in range(CLIENTS)]
        self.answered = 0

    async def _call_on(self, stream: bool) -> None:
        while True:
            try:
                await self._call(stream)
            except OSError:
                await asyncio.sleep(0.05)

    async def _call(self, stream: bool) -> None:
        name = uuid.uuid4().hex
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            headers = {"x-client-request-id": name, "connection": "close"}
            writer.write(
                request(chat_body(name, model="up/m", stream=stream), key=self._key, headers=headers)
            )
            answer = await reader.read()
            self.answered += answer.startswith(b"HTTP/1.1 200")
        finally:
            writer.transport.abort()

    async def leave(self) -> None:
        """Stop calling."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_call_a_provider_saw_is_settled_exactly_once(
    deploy: Callable[..., Deployment],
    database: str,
    base_url: str,
    upstream: Callable[[Handler], Upstream],
) -> None:
    workers = 2 if database.startswith("postgresql") else 1
    chance = random.Random(7)
    journal: collections.Counter[str] = collections.Counter()
    in_flight = 0
    crowded = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        nonlocal in_flight
        journal[exchange.said] += 1
        in_flight += 1
        if in_flight > 100:
            crowded.set()
        await crowded.wait()  # so that there are many at once, however slow the machine
        await asyncio.sleep(chance.uniform(0.05, 0.8))
        if exchange.json["stream"]:
            await exchange.begin()
            await exchange.say("one")
            await asyncio.sleep(chance.uniform(0, 0.1))
            await exchange.finish(USAGE)
        else:
            await exchange.answer(completion())

    served = deploy(CONFIG.format(database=database, base_url=base_url), start=False)
    key = served.key()["key"]
    async with upstream(handler):
        crowd = Crowd(served.port, key)
        try:
            for _ in range(ROUNDS):
                in_flight = 0
                crowded.clear()
                await asyncio.to_thread(served.start, "--workers", str(workers))
                await crowded.wait()
                await asyncio.sleep(chance.uniform(0, 0.7))
                await asyncio.to_thread(served.kill)
        finally:
            await crowd.leave()
    assert crowd.answered > ROUNDS
    assert max(journal.values()) == 1

    await asyncio.to_thread(served.start)
    async with asyncio.timeout(60):
        while await query(
            database, served.folder, "SELECT 1 FROM model_calls WHERE status = 'processing' LIMIT 1"
        ):
            await asyncio.sleep(0.2)
    assert served.stop() == 0
    rows = served.calls()  # works while the gateway is down
    found = collections.Counter(row["client_request_id"] for row in rows)
    assert set(journal) <= set(found)
    assert max(found.values()) == 1
    states = collections.Counter(row["status"] for row in rows)
    assert states["failed"] > ROUNDS
    assert states["success"] >= crowd.answered - states["failed"]
    assert {row["error"]["code"] for row in rows if row["status"] == "failed"} >= {"abandoned"}
    assert await check_books(database, served.folder) == len(rows)


def test_a_port_is_free_again_after_a_crash(deploy: Callable[..., Deployment]) -> None:
    served = deploy("[provider.mock]\n")
    served.kill()
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.connect(("127.0.0.1", served.port))
        pytest.fail("something still listens")
    served.start()
