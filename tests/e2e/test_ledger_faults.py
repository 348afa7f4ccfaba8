"""A database that is locked, slow or raced for: every call ends settled, or was never made."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import httpx2
import pytest

from .. import scratch
from .support.process import Deployment, until
from .support.raw import RawClient, chat_body, request
from .support.tables import check_books, connect, query
from .support.upstream import USAGE, Exchange, Handler, Upstream, completion

CONFIG = """
[gateway]
database = "{database}"
{more}
[provider.up]
use = "openai"
base_url = "{base_url}"
[provider.mock]
"""

Deploy = Callable[..., Deployment]
Run = Callable[[Handler], Upstream]


@contextlib.asynccontextmanager
async def locked(url: str, folder: Path) -> AsyncGenerator[None]:
    """Hold a lock on the ledger that nobody can write past."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(folder / "gateway.db", isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
        return
    connection = await connect(url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE model_calls IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def settled(url: str, folder: Path) -> None:
    """Wait until no call is `processing`."""
    async with asyncio.timeout(30):
        while await query(url, folder, "SELECT 1 FROM model_calls WHERE status = 'processing' LIMIT 1"):
            await asyncio.sleep(0.1)


async def test_a_client_that_goes_while_its_intent_waits_leaves_nothing_open(
    deploy: Deploy, database: str, base_url: str, upstream: Run
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(completion())

    served = deploy(CONFIG.format(database=database, base_url=base_url, more=""))
    async with upstream(handler):
        async with locked(database, served.folder), contextlib.AsyncExitStack() as stack:
            for number in range(10):
                raw = await stack.enter_async_context(RawClient(served.port))
                raw.writer.write(request(chat_body(str(number), model="up/m", stream=number % 2 == 0)))
            await asyncio.sleep(0.8)  # the calls wait for the ledger; now their clients go
            await stack.aclose()
            await asyncio.sleep(0.8)
        await settled(database, served.folder)
        async with RawClient(served.port) as raw:
            await raw.ask(request(chat_body(model="up/m")))
            assert raw.status == 200
    assert await asyncio.to_thread(served.stop) == 0
    await check_books(database, served.folder)


async def test_a_ledger_that_is_locked_for_long_refuses_calls_and_recovers(
    deploy: Deploy, database: str, base_url: str, upstream: Run
) -> None:
    seen: list[str] = []

    async def handler(exchange: Exchange) -> None:
        seen.append(exchange.said)
        await exchange.begin()
        await exchange.say("first")
        await go_on.wait()
        await exchange.finish(USAGE)

    go_on = asyncio.Event()
    served = deploy(CONFIG.format(database=database, base_url=base_url, more=""), faults=True)
    async with upstream(handler), httpx2.AsyncClient(base_url=served.url, timeout=30) as http:
        async with RawClient(served.port) as raw:
            await raw.ask(request(chat_body("running", model="up/m", stream=True)))
            assert await raw.chunk()
            async with locked(database, served.folder):
                go_on.set()
                data, clean = await raw.rest()  # what runs is not held up
                assert clean
                assert b"[DONE]" in data
                refused = await asyncio.gather(
                    *(
                        http.post("/v1/chat/completions", content=chat_body("refused", model="up/m"))
                        for _ in range(5)
                    )
                )
                assert {answer.status_code for answer in refused} == {503}
                assert (await http.get("/healthz")).status_code == 200
                assert "refused" not in seen
        async with asyncio.timeout(30):
            while (
                await http.post("/v1/chat/completions", content=chat_body("again", model="mock/echo"))
            ).status_code != 200:
                await asyncio.sleep(0.2)
        await settled(database, served.folder)
    assert await asyncio.to_thread(served.stop) == 0
    rows = [row for row in served.calls() if row["model"] == "up/m"]
    assert [row["status"] for row in rows].count("success") == 1
    assert {row["status"] for row in rows} <= {"success", "failed", "cancelled"}
    await check_books(database, served.folder)


async def test_sigterm_while_the_ledger_is_locked_loses_no_settlement(
    deploy: Deploy, database: str, base_url: str
) -> None:
    served = deploy(CONFIG.format(database=database, base_url=base_url, more=""), faults=True)
    async with RawClient(served.port) as raw:
        await raw.ask(request(chat_body("a b c d @gap=150", stream=True)))
        async with locked(database, served.folder):
            _, clean = await raw.rest()
            assert clean
            served.running.terminate()
            await asyncio.sleep(1.5)
        assert await asyncio.to_thread(served.running.wait, 20) == 0
    (row,) = served.calls()
    assert row["status"] == "success"
    await check_books(database, served.folder)


@pytest.mark.postgres
def test_gateways_that_start_together_on_an_empty_database(deploy: Deploy) -> None:
    with scratch.empty_postgres() as url:
        config = CONFIG.format(database=url, base_url="http://127.0.0.1:9/v1", more="")
        together = [deploy(config, start=False) for _ in range(3)]
        for served in together:
            served.start(ready=False)
        for served in together:
            until(served.is_ready, 60)
            assert httpx2.post(f"{served.url}/v1/chat/completions", content=chat_body()).status_code == 200
        assert len(together[0].calls()) == 3
        for served in together:
            assert served.stop() == 0


def test_two_gateways_share_an_sqlite_file(deploy: Deploy, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    config = CONFIG.format(database=database, base_url="http://127.0.0.1:9/v1", more="")
    together = [deploy(config, start=False) for _ in range(3)]
    for served in together:
        served.start(ready=False)
    for served in together:
        until(served.is_ready, 60)
    for served in together * 10:
        assert httpx2.post(f"{served.url}/v1/chat/completions", content=chat_body()).status_code == 200
    assert len(together[0].calls()) == 30


async def test_with_durability_settle_a_call_is_written_when_it_has_ended(
    deploy: Deploy, database: str, base_url: str, upstream: Run
) -> None:
    waits, go_on = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        waits.set()
        await go_on.wait()
        await exchange.answer(completion())

    served = deploy(CONFIG.format(database=database, base_url=base_url, more='durability = "settle"'))
    async with upstream(handler), RawClient(served.port) as raw:
        raw.writer.write(request(chat_body(model="up/m")))
        await waits.wait()
        assert await query(database, served.folder, "SELECT count(*) FROM model_calls") == [(0,)]
        go_on.set()
        await raw.head()
        assert raw.status == 200
    assert await asyncio.to_thread(served.stop) == 0
    (row,) = served.calls()
    assert row["status"] == "success"
    assert row["prompt_tokens"] == 7
    await check_books(database, served.folder)


async def test_a_model_without_a_price_is_refused_before_the_provider_is_called(
    deploy: Deploy, base_url: str, upstream: Run
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(completion())

    more = 'prices = { unknown = "refuse" }'
    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url=base_url, more=more))
    async with upstream(handler) as up, httpx2.AsyncClient(base_url=served.url) as http:
        answer = await http.post("/v1/chat/completions", content=chat_body(model="up/unheard-of"))
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "model_price_unknown"
        assert not up.exchanges
    more = 'prices = { unknown = "fallback", fallback_input = 1, fallback_output = "2.5" }'
    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url=base_url, more=more))
    async with upstream(handler), httpx2.AsyncClient(base_url=served.url) as http:
        assert (
            await http.post("/v1/chat/completions", content=chat_body(model="up/unheard-of"))
        ).status_code == 200
    (row,) = await asyncio.to_thread(served.settled)
    assert row["cost"] == pytest.approx((7 * 1 + 5 * 2.5) / 1e6)


async def test_a_body_that_never_comes_does_not_hold_up_a_shutdown(deploy: Deploy) -> None:
    served = deploy("[provider.mock]\n")
    whole = request(chat_body())
    async with contextlib.AsyncExitStack() as stack:
        for size in (10, len(whole) - 5):
            raw = await stack.enter_async_context(RawClient(served.port))
            raw.writer.write(whole[:size])
            await raw.writer.drain()
        await asyncio.sleep(0.3)
        assert await asyncio.to_thread(served.stop, 30) == 0
    assert json.dumps(served.calls()) == "[]"
