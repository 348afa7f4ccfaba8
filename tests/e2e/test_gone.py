"""Clients that go away, or read slowly: the provider is told, usage is settled, memory stays bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from openai import AsyncOpenAI

from .support.process import Deployment, deployment
from .support.raw import RawClient, chat_body, request
from .support.upstream import USAGE, Exchange, Handler, Upstream

CONFIG = """
[gateway]
on_disconnect = "{policy}"
keepalive_seconds = 0.5
[provider.up]
use = "openai"
base_url = "{base_url}"
"""

Run = Callable[[Handler], Upstream]


def serve(policy: str) -> Callable[[pytest.TempPathFactory, str], Iterator[Deployment]]:
    """Make a fixture that serves under a policy for clients that went away."""

    def fixture(tmp_path_factory: pytest.TempPathFactory, base_url: str) -> Iterator[Deployment]:
        config = CONFIG.format(policy=policy, base_url=base_url)
        with deployment(tmp_path_factory.mktemp(policy), config) as served:
            yield served

    return fixture


cancelling = pytest.fixture(scope="module")(serve("cancel"))
draining = pytest.fixture(scope="module")(serve("drain"))


def ask(name: str, text: str = "hi", *, stream: bool = True) -> bytes:
    """Make a request whose ledger row can be found by its name."""
    return request(chat_body(text, model="up/m", stream=stream), headers={"x-client-request-id": name})


async def test_a_stream_whose_client_has_gone_is_cancelled(cancelling: Deployment, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("some words were said")
        await exchange.hang()

    async with upstream(handler) as up:
        async with RawClient(cancelling.port) as raw:
            await raw.ask(ask("gone-mid"))
            assert await raw.chunk()
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
    row = cancelling.row("gone-mid")
    assert row["status"] == "cancelled"
    assert row["estimated"]
    assert row["prompt_tokens"] > 0
    assert row["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_before_the_first_byte(
    cancelling: Deployment, upstream: Run, stream: bool
) -> None:
    asked = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        asked.set()
        await exchange.hang()

    name = f"gone-early-{stream}"
    async with upstream(handler) as up:
        async with RawClient(cancelling.port) as raw:
            raw.writer.write(ask(name, stream=stream))
            await asyncio.wait_for(asked.wait(), 30)
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
    assert cancelling.row(name)["status"] == "cancelled"


async def test_the_sdks_close_is_noticed(cancelling: Deployment, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        with contextlib.suppress(ConnectionError):
            while True:
                await exchange.say("on and on ")
                await asyncio.sleep(0.02)
        exchange.closed.set()

    async with (
        upstream(handler) as up,
        AsyncOpenAI(base_url=f"{cancelling.url}/v1", api_key="none", max_retries=0) as sdk,
    ):
        stream = await sdk.chat.completions.create(
            model="up/m",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            extra_headers={"x-client-request-id": "sdk-close"},
        )
        async for _ in stream:
            break
        await stream.close()
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
    assert cancelling.row("sdk-close")["status"] == "cancelled"


async def test_under_drain_the_answer_is_read_to_its_end(draining: Deployment, upstream: Run) -> None:
    gone = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("first")
        await gone.wait()
        for _ in range(20):
            await exchange.say("more")
            await asyncio.sleep(0.05)  # longer than it takes to notice
        await exchange.finish(USAGE)
        exchange.closed.set()

    async with upstream(handler) as up:
        async with RawClient(draining.port) as raw:
            await raw.ask(ask("drained"))
            assert await raw.chunk()
        gone.set()
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
        row = draining.row("drained")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (7, 5)
    assert not row["estimated"]
    assert row["status"] in {"success", "cancelled"}


@pytest.mark.parametrize("stream", [False, True])
async def test_under_drain_a_client_gone_early_costs_what_it_costs(
    draining: Deployment, upstream: Run, stream: bool
) -> None:
    from .support.upstream import completion

    gone = asyncio.Event()
    asked = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        asked.set()
        await gone.wait()
        await asyncio.sleep(0.6)
        if stream:
            await exchange.begin()
            await exchange.finish(USAGE)
        else:
            await exchange.answer(completion())

    name = f"drained-early-{stream}"
    async with upstream(handler):
        async with RawClient(draining.port) as raw:
            raw.writer.write(ask(name, stream=stream))
            await asyncio.wait_for(asked.wait(), 30)
        gone.set()
        row = await asyncio.to_thread(draining.row, name)
    assert row["prompt_tokens"] == 7
    assert not row["estimated"]


async def test_a_slow_reader_pauses_the_provider(cancelling: Deployment, upstream: Run) -> None:
    sent = 0
    text = "x" * 60_000
    events = 700

    async def handler(exchange: Exchange) -> None:
        nonlocal sent
        exchange.writer.transport.set_write_buffer_limits(high=65_536)
        await exchange.begin()
        for _ in range(events):
            await exchange.say(text)
            sent += len(text)
        await exchange.finish(USAGE)

    before = cancelling.memory()
    async with upstream(handler), RawClient(cancelling.port) as raw:
        await raw.ask(ask("slow-reader"))
        level = -1
        while level != sent:  # until nothing moves any more
            level = sent
            await asyncio.sleep(0.5)
        assert sent < 20_000_000
        assert cancelling.memory() - before < 25_000_000
        data, clean = await raw.rest()
    assert clean
    assert len(data) > events * len(text)
    row = cancelling.row("slow-reader")
    assert row["status"] == "success"
    assert row["prompt_tokens"] == 7


async def test_a_slow_reader_that_gives_up_frees_everything(cancelling: Deployment, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        with contextlib.suppress(ConnectionError):
            while True:
                await exchange.say("x" * 60_000)
        exchange.closed.set()

    async with upstream(handler) as up:
        async with RawClient(cancelling.port) as raw:
            await raw.ask(ask("gave-up"))
            await asyncio.sleep(1)
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
    assert cancelling.row("gave-up")["status"] == "cancelled"


@pytest.mark.parametrize("complete", [False, True])
async def test_a_client_that_never_reads_does_not_outlive_the_gateway(
    deploy: Callable[..., Deployment], base_url: str, upstream: Run, complete: bool
) -> None:
    """Shutting down must not wait for ever for a client that does not take its answer, settled or not."""
    sent = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("x" * 6_000_000)
        sent.set()
        if complete:
            await exchange.finish(USAGE)
        else:
            await exchange.hang()

    config = CONFIG.format(policy="cancel", base_url=base_url)
    served = deploy(config.replace("[gateway]", "[gateway]\ndrain_seconds = 1"))
    async with upstream(handler), RawClient(served.port) as raw:
        await raw.ask(ask("stuck"))
        await sent.wait()
        if complete:
            assert (await asyncio.to_thread(served.row, "stuck"))["status"] == "success"
        assert await asyncio.to_thread(served.stop, 30) == 0
    assert served.row("stuck")["status"] == ("success" if complete else "failed")


async def test_the_total_timeout_also_ends_a_call_whose_client_never_reads(
    deploy: Callable[..., Deployment], base_url: str, upstream: Run
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        with contextlib.suppress(ConnectionError):
            while True:
                await exchange.say("x" * 60_000)
        exchange.closed.set()

    config = CONFIG.format(policy="cancel", base_url=base_url)
    served = deploy(config.replace("[gateway]", "[gateway]\ntimeouts = { total = 2 }"))
    async with upstream(handler) as up, RawClient(served.port) as raw:
        await raw.ask(ask("too-long"))
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)
        row = await asyncio.to_thread(served.row, "too-long")
        assert row["error_code"] in {"timeout", "upstream_timeout"}
        _, clean = await raw.rest()
        assert not clean
