"""A worker is killed after it has billed a call, and before the answer is kept under its `Idempotency-Key`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from .support.process import Deployment, until
from .support.tables import check_books, connect, query
from .support.upstream import Exchange, Handler, Upstream, completion

CONFIG = """
[gateway]
database = "{database}"
[gateway.prices]
unknown = "fallback"
fallback_input = "1"
fallback_output = "1"
[auth.apikey]
[middleware.idempotency]
[billing.credits]
[provider.up]
use = "openai"
base_url = "{base_url}"
"""
HOLD = (
    "CREATE TRIGGER held BEFORE UPDATE ON kept_answers BEGIN SELECT RAISE(ABORT, 'held'); END",
    "DROP TRIGGER held",
)
REPEATS = 8


@asynccontextmanager
async def nothing_is_kept(database: str, folder: Path) -> AsyncGenerator[None]:
    """Let no worker write an answer down: PostgreSQL lets it wait, SQLite lets it fail."""
    if database.startswith("sqlite"):
        await query(database, folder, HOLD[0])
        yield
        await query(database, folder, HOLD[1])
        return
    connection = await connect(database)
    async with connection.transaction():
        await connection.execute("SELECT * FROM kept_answers FOR UPDATE")
        yield
    await connection.close()


@pytest.mark.timeout(120)
async def test_what_was_billed_is_not_billed_again(
    deploy: Callable[..., Deployment],
    database: str,
    base_url: str,
    upstream: Callable[[Handler], Upstream],
) -> None:
    reached = 0
    came, go = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        nonlocal reached
        reached += 1
        came.set()
        await go.wait()
        await exchange.answer(completion("answered"))

    workers = 4 if database.startswith("postgresql") else 2
    # Where the database refuses the answer, the worker may log that before it is killed.
    served = deploy(CONFIG.format(database=database, base_url=base_url), start=False, faults=True)
    key = served.key()["key"]
    served.command("credits", "grant", "default", "1000", "--reference", "order-1")
    await asyncio.to_thread(served.start, "--workers", str(workers))
    until(lambda: len(served.processes()) == 1 + workers)
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
    sdk = AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=http, max_retries=2, timeout=60)

    async def ask() -> str:
        answer = await sdk.chat.completions.create(
            model="up/m",
            messages=[{"role": "user", "content": "hi"}],
            max_tokens=10,
            extra_headers={"Idempotency-Key": "k-1"},
        )
        return answer.choices[0].message.content or ""

    async with upstream(handler), sdk:
        first = asyncio.create_task(ask())
        await came.wait()
        async with nothing_is_kept(database, served.folder):
            go.set()
            settled = "SELECT id, charge FROM model_calls WHERE status = 'success'"
            async with asyncio.timeout(20):
                while not (calls := await query(database, served.folder, settled)):
                    await asyncio.sleep(0.02)
            found = "SELECT pid FROM workers WHERE id = (SELECT worker FROM kept_answers)"
            ((pid,),) = await query(database, served.folder, found)
            os.kill(pid, signal.SIGKILL)
        # Its client tries again by itself, at another worker, and is told like all others.
        answers = await asyncio.gather(first, *(ask() for _ in range(REPEATS)), return_exceptions=True)
        ((call, charge),) = calls
        for answer in answers[1:]:
            assert isinstance(answer, openai.APIStatusError), answer
            assert (answer.status_code, answer.code) == (410, "idempotency_answer_lost")
            assert call in answer.message
            assert answer.response.headers["x-should-retry"] == "false"
        # SQLite refuses to keep it at once: then its client may have had the answer before the worker was killed.
        given = database.startswith("sqlite") and answers[0] == "answered"
        assert given or isinstance(answers[0], openai.APIStatusError), answers[0]
    assert reached == 1
    assert await asyncio.to_thread(served.stop) == 0
    assert await check_books(database, served.folder) == 1
    taken = "SELECT sum(-amount) FROM credit_journal WHERE amount < 0"
    assert [int(row[0]) for row in await query(database, served.folder, taken)] == [charge]
    assert served.command("credits", "verify").stdout == "The books are right.\n"
