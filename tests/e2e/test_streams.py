"""Streams pass through event by event, whole, and with signs of life."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI

from .support.asking import CONFIG, stream
from .support.faults import hang_after_head
from .support.process import Deployment, deployment
from .support.raw import RawClient, chat_body, events, request
from .support.upstream import CHUNK, USAGE, Exchange, Handler, Upstream

Run = Callable[[Handler], Upstream]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, base_url: str) -> Iterator[Deployment]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        config = CONFIG.format(base_url=base_url, closed=closed.getsockname()[1])
        with deployment(tmp_path_factory.mktemp("upstreams"), config) as served:
            yield served


@pytest.fixture
async def sdk(served: Deployment) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


async def test_characters_split_between_packets_arrive_whole(sdk: AsyncOpenAI, upstream: Run) -> None:
    text = "Grüße 🙂 你好 \u2028 ende"
    event = (
        b"data: "
        + json.dumps(
            {**CHUNK, "choices": [{"index": 0, "delta": {"content": text}}]}, ensure_ascii=False
        ).encode()
        + b"\n\n"
    )

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        for byte in event:
            await exchange.chunk(bytes([byte]))
            await asyncio.sleep(0)
        await exchange.finish(USAGE)

    async with upstream(handler):
        texts: list[str] = []
        await stream(sdk, texts)
    assert "".join(texts) == text


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
async def test_every_line_end_of_the_standard_is_understood(
    sdk: AsyncOpenAI, upstream: Run, newline: str
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        for text in ("one", "two"):
            data = json.dumps({**CHUNK, "choices": [{"index": 0, "delta": {"content": text}}]})
            await exchange.chunk(f"event: x{newline}id: 5{newline}data: {data}{newline}{newline}".encode())
        await exchange.chunk(f"data: [DONE]{newline}{newline}".encode())
        await exchange.send(b"0\r\n\r\n")

    async with upstream(handler):
        texts: list[str] = []
        await stream(sdk, texts)
    assert texts == ["one", "two"]


async def test_each_event_is_sent_on_at_once(served: Deployment, upstream: Run) -> None:
    seen = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("first")
        await seen.wait()
        await exchange.say("second")
        await exchange.finish()

    async with upstream(handler), RawClient(served.port) as raw:
        await raw.ask(request(chat_body(model="up/m", stream=True), headers={"accept-encoding": "gzip, br"}))
        first = await raw.chunk()
        assert first
        assert b"first" in first
        seen.set()
        data, clean = await raw.rest()
        assert b"second" in data
        assert clean
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.headers["cache-control"] == "no-cache, no-transform"
    assert raw.headers["x-accel-buffering"] == "no"
    assert raw.headers["x-request-id"]
    assert "content-encoding" not in raw.headers
    assert "content-length" not in raw.headers


async def test_comments_keep_a_stream_alive_while_the_provider_thinks(
    tmp_path: Path, base_url: str, upstream: Run
) -> None:
    think = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await think.wait()
        await exchange.say("thought")
        await exchange.finish()

    patient = CONFIG.format(base_url=base_url, closed=1).replace("idle = 3,", "idle = 20,")
    with deployment(tmp_path, patient) as served:
        async with upstream(handler), RawClient(served.port) as raw:
            await raw.ask(request(chat_body(model="up/m", stream=True)))
            assert raw.status == 200
            assert (await raw.chunk() or b"").startswith(b":")
            assert (await raw.chunk() or b"").startswith(b":")
            think.set()
            data, clean = await raw.rest()
            assert clean
            assert b"thought" in data
            assert data.rstrip().endswith(b"data: [DONE]")


async def test_an_error_after_a_sign_of_life_is_an_event(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run
) -> None:
    async with upstream(hang_after_head):
        async with RawClient(served.port) as raw:
            await raw.ask(request(chat_body(model="up/m", stream=True)))
            data, clean = await raw.rest()
        assert not clean
        (event,) = events(data)
        assert event["error"]["code"] == "upstream_timeout"
        texts: list[str] = []
        with pytest.raises(openai.APIError):
            await stream(sdk, texts)
