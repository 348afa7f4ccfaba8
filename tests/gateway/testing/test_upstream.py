from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from gateway.testing.upstream import FakeUpstream, Reply
from gateway.upstream import Client, ConnectionLost, Response


@asynccontextmanager
async def asked(upstream: FakeUpstream) -> AsyncGenerator[Response]:
    client = Client()
    try:
        request = client.prepare("POST", f"{upstream.url}/path", [(b"x-name", b"value")])
        yield await client.send(request, b"body")
    finally:
        await client.close()


async def test_records_requests_and_answers_as_told() -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(status=503), Reply(headers={"x-kind": "second"}, parts=[b"one", b"two"]))
        async with asked(upstream) as response:
            assert (response.status, await response.read()) == (503, b"")
        for _ in range(2):
            async with asked(upstream) as response:
                assert response.header(b"x-kind") == b"second"
                assert await response.read() == b"onetwo"
        await upstream.released()
    assert len(upstream.requests) == 3
    request = upstream.requests[0]
    assert (request.method, request.path, request.body) == ("POST", "/path", b"body")
    assert request.headers["x-name"] == "value"


async def test_cuts() -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(parts=[b"one"], ending="cut"))
        async with asked(upstream) as response:
            with pytest.raises(ConnectionLost):
                await response.read()


async def test_hangs_until_the_client_lets_go() -> None:
    async with FakeUpstream() as upstream:
        upstream.reply(Reply(ending="hang"))

        async def ask() -> None:
            async with asked(upstream):
                pytest.fail("it answered")

        asking = asyncio.create_task(ask())
        await upstream.reached()
        assert not asking.done()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await upstream.released()
