"""Thousands of requests, some of them from clients that misbehave: nothing grows, nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from .support.process import Deployment, until
from .support.raw import RawClient, chat_body, request
from .support.tables import check_books

REQUESTS = 2_000
AT_ONCE = 32

CONFIG = """
[auth.apikey]
[provider.mock]
[middleware.ratelimit]
requests_per_minute = 1_000_000
[middleware.metrics]
"""


@pytest.mark.slow
async def test_memory_files_and_books_stay_in_order(deploy: Callable[..., Deployment]) -> None:
    chance = random.Random(5)
    served = deploy(CONFIG)
    key = served.key()["key"]

    async def misbehave() -> None:
        async with RawClient(served.port) as raw:
            stream = request(chat_body("hi @chunks=200 @gap=5", stream=True), key=key)
            whole = request(chat_body("hi @delay=300"), key=key)
            match chance.randrange(6):
                case 0:  # gone within its request
                    raw.writer.write(whole[: chance.randrange(1, len(whole))])
                case 1:  # gone before the answer
                    raw.writer.write(whole)
                case 2:  # gone within a stream
                    await raw.ask(stream)
                    await raw.chunk()
                case 3:  # slow to read
                    await raw.ask(stream)
                    for _ in range(5):
                        await asyncio.sleep(0.1)
                        await raw.chunk()
                case 4:  # malformed HTTP
                    raw.writer.write(b"\x00\xff nonsense\r\n\r\n")
                    await raw.reader.read()
                case _:  # malformed JSON
                    await raw.ask(request(b'{"model": ', key=key))
            await raw.writer.drain()

    async def behave(numbers: list[int]) -> None:
        async with RawClient(served.port) as raw:
            while numbers:
                number = numbers.pop()
                if number % 20 == 0:
                    await misbehave()
                    continue
                stream = number % 3 == 0
                await raw.ask(request(chat_body(f"request {number}", stream=stream), key=key))
                assert raw.status == 200
                if stream:
                    _, clean = await raw.rest()
                    assert clean
                else:
                    await raw.body()

    async def run(count: int) -> None:
        numbers = list(range(1, count + 1))
        await asyncio.gather(*(behave(numbers) for _ in range(AT_ONCE)))

    await run(400)  # warm up
    files, memory = served.open_files(), served.memory()
    await run(REQUESTS)
    until(lambda: served.open_files() <= files + 20)  # the pools may have grown; a hundred clients misbehaved
    assert served.memory() - memory < 15_000_000
    assert served.stop() == 0
    assert await check_books("sqlite", served.folder) >= REQUESTS
