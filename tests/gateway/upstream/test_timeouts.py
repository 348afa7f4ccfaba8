"""Everything that can wait is bounded. The values are short; nothing here measures how long it took."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream import (
    Client,
    FirstByteTimeout,
    IdleTimeout,
    Response,
    Timeouts,
    TotalTimeout,
    UpstreamError,
)

from .server import Peer, closing, serve

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_no_head() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 O")

    async with serve(script) as server, closing(Client(timeouts=Timeouts(first_byte=0.2))) as client:
        with pytest.raises(FirstByteTimeout, match=rf"127.0.0.1:{server.port} .* in 0.2 s") as caught:
            await client.send(client.prepare("POST", server.url("/secret?key=secret")))
        assert caught.value.sent
        assert "secret" not in str(caught.value)
        await server.until_open(0)


async def test_the_peer_takes_nothing() -> None:
    async def script(peer: Peer) -> None:
        await asyncio.Event().wait()

    async with serve(script) as server, closing(Client(timeouts=Timeouts(first_byte=0.2))) as client:
        with pytest.raises(FirstByteTimeout):
            await client.send(client.prepare("POST", server.url()), b"x" * 2**26)


async def test_silence_within_the_body() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"2\r\nhi\r\n")

    async with serve(script) as server, closing(Client(timeouts=Timeouts(idle=0.2))) as client:
        response = await client.send(client.prepare("POST", server.url()))
        assert await anext(response) == b"hi"
        with pytest.raises(IdleTimeout):
            await anext(response)
        await server.until_open(0)


async def _iterate(response: Response) -> None:
    while True:
        assert set(await anext(response)) == {ord("x")}


@pytest.mark.parametrize("how", ["read", "iterate"])
async def test_a_body_that_never_ends(how: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD)
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.02)

    timeouts = Timeouts(total=1.5, idle=1)
    async with serve(script) as server, closing(Client()) as client:
        response = await client.send(client.prepare("POST", server.url()), timeouts=timeouts)
        with pytest.raises(TotalTimeout):
            await (response.read() if how == "read" else _iterate(response))
        await server.until_open(0)


async def test_a_slow_consumer_is_not_blamed_on_the_origin() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        size = 2**23
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size)

    async with serve(script) as server, closing(Client(timeouts=Timeouts(idle=0.5))) as client:
        response = await client.send(client.prepare("POST", server.url()))
        await asyncio.sleep(1)  # longer than `idle`: what is tested is that time passes
        assert sum([len(chunk) async for chunk in response]) == 2**23


async def test_nothing_ticks_when_nothing_runs() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(head=b"connection: close\r\n")

    async with serve(script) as server, closing(Client()) as client:
        await (await client.send(client.prepare("POST", server.url()))).read()
        ticker = client._ticker
        while ticker.running:
            await asyncio.sleep(0.01)
        assert ticker._timer is None


async def test_many_timeouts_leave_nothing_behind() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with serve(script) as server, closing(Client(timeouts=Timeouts(first_byte=0.1))) as client:
        prepared = client.prepare("POST", server.url())
        results = await asyncio.gather(*(client.send(prepared) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(result, UpstreamError) for result in results)
        await server.until_open(0)
        assert prepared.pool._size == 0
        assert not client._ticker.busy
