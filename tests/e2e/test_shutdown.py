"""SIGTERM: not ready at once, running calls finish, the ledger is flushed, exit code 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

import httpx2
import pytest

from .support.process import Deployment, until
from .support.raw import RawClient, chat_body, events, request
from .support.tables import check_books
from .support.upstream import USAGE, Exchange, Handler, Upstream

CONFIG = """
[gateway]
drain_seconds = {drain}
[provider.up]
use = "openai"
base_url = "{base_url}"
[provider.mock]
"""

Run = Callable[[Handler], Upstream]
Deploy = Callable[..., Deployment]


def ask(name: str, *, stream: bool = True, model: str = "up/m") -> bytes:
    """Make a request whose ledger row can be found by its name."""
    return request(chat_body(model=model, stream=stream), headers={"x-client-request-id": name})


async def ready(served: Deployment) -> int:
    """Ask /readyz; 0 when nobody listens any more."""
    with contextlib.suppress(httpx2.TransportError):
        async with httpx2.AsyncClient(timeout=30) as http:
            return (await http.get(f"{served.url}/readyz")).status_code
    return 0


async def leaves(served: Deployment) -> None:
    """Wait until no worker wants traffic; each connection goes to whichever is awake."""
    refused = 0
    async with asyncio.timeout(60):
        while refused < 10:
            refused = 0 if await ready(served) == 200 else refused + 1
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_running_stream_finishes_while_new_calls_are_refused(
    deploy: Deploy, base_url: str, upstream: Run, workers: int
) -> None:
    more = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("before ")
        await more.wait()
        await exchange.say("after")
        await exchange.finish(USAGE)

    served = deploy(CONFIG.format(base_url=base_url, drain=20), "--workers", str(workers))
    async with upstream(handler), contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(RawClient(served.port)) for _ in range(6)]
        for number, raw in enumerate(streams):
            await raw.ask(ask(f"stream-{number}"))
            assert await raw.chunk()
        served.running.send_signal(signal.SIGTERM)
        await leaves(served)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with RawClient(served.port) as late:
                await late.ask(ask("late"))
                assert late.status == 503
                assert late.headers["retry-after"]
                assert (await late.json())["error"]["code"]
        assert served.running.poll() is None
        more.set()
        for raw in streams:
            data, clean = await raw.rest()
            assert clean
            assert b"after" in data
            assert b"[DONE]" in data
        assert await asyncio.to_thread(served.running.wait, 30) == 0
    for number in range(6):
        row = served.row(f"stream-{number}")
        assert row["status"] == "success"
        assert row["prompt_tokens"] == 7
    assert await check_books("sqlite", served.folder) == 6


@pytest.mark.parametrize("workers", [1, 2])
async def test_beyond_drain_seconds_a_stream_is_cut_with_an_error(
    deploy: Deploy, base_url: str, upstream: Run, workers: int
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("before")
        await exchange.hang()

    served = deploy(CONFIG.format(base_url=base_url, drain=1), "--workers", str(workers))
    async with upstream(handler) as up:
        async with RawClient(served.port) as raw:
            await raw.ask(ask("cut"))
            assert await raw.chunk()
            served.running.send_signal(signal.SIGTERM)
            data, clean = await raw.rest()
        assert not clean
        assert events(data)[-1]["error"]["code"] == "shutdown"
        assert await asyncio.to_thread(served.running.wait, 30) == 0
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
    row = served.row("cut")
    assert row["status"] in {"failed", "cancelled"}
    assert row["estimated"]


async def test_a_whole_answer_is_waited_for_too(deploy: Deploy, base_url: str, upstream: Run) -> None:
    served = deploy(CONFIG.format(base_url=base_url, drain=20))
    async with RawClient(served.port) as raw:
        raw.writer.write(
            request(chat_body("hi @delay=1000", model="mock/echo"), headers={"x-client-request-id": "whole"})
        )
        await asyncio.to_thread(served.begun, "whole")
        served.running.send_signal(signal.SIGTERM)
        await raw.head()
        assert raw.status == 200
        assert await raw.json()
        assert await asyncio.to_thread(served.running.wait, 30) == 0
    assert served.row("whole")["status"] == "success"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_calls_it_stops_at_once(deploy: Deploy, workers: int, number: signal.Signals) -> None:
    served = deploy("[provider.mock]\n", "--workers", str(workers))
    with httpx2.Client(base_url=served.url) as http:  # an idle connection does not hold it up
        assert http.post("/v1/chat/completions", content=chat_body()).status_code == 200
        served.running.send_signal(number)
        assert served.running.wait(30) == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_second_signal_does_not_wait(
    deploy: Deploy, base_url: str, upstream: Run, workers: int
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("before")
        await exchange.hang()

    served = deploy(CONFIG.format(base_url=base_url, drain=60), "--workers", str(workers))
    async with upstream(handler), RawClient(served.port) as raw:
        await raw.ask(ask("twice"))
        assert await raw.chunk()
        served.running.send_signal(signal.SIGTERM)
        await leaves(served)
        served.running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(served.running.wait, 30)
    assert served.row("twice")["status"] in {"failed", "cancelled"}


def test_a_worker_that_dies_is_replaced(deploy: Deploy) -> None:
    served = deploy("[provider.mock]\n", "--workers", "2")
    workers = served.workers()
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: len(set(served.processes()) - {workers[0]}) >= 3)
    with httpx2.Client(base_url=served.url) as http:
        for _ in range(10):
            assert http.post("/v1/chat/completions", content=chat_body()).status_code == 200


def test_workers_do_not_outlive_a_parent_that_is_killed(deploy: Deploy) -> None:
    served = deploy("[provider.mock]\n", "--workers", "2")
    workers = served.workers()
    served.running.kill()
    served.running.wait(30)

    def gone() -> bool:
        alive: list[int] = []
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 0)
                alive.append(pid)
        return not alive

    try:
        until(gone)
    finally:
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
