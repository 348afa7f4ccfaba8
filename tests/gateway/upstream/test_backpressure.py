"""A slow side slows the other down, and fills no memory."""

from __future__ import annotations

import asyncio

from gateway.upstream import Client, Limits

from .server import Peer, closing, serve


async def test_a_slow_consumer_pauses_the_socket() -> None:
    sent = 0
    stalled = asyncio.Event()
    slice_, count = b"x" * 65536, 512

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(slice_) * count))
        for _ in range(count):
            peer.writer.write(slice_)
            try:
                await asyncio.wait_for(peer.writer.drain(), 0.3)
            except TimeoutError:
                stalled.set()
                await peer.writer.drain()
            sent += 1

    async with serve(script) as server, closing(Client(limits=Limits(read_ahead_bytes=65536))) as client:
        response = await client.send(client.prepare("POST", server.url()))
        await stalled.wait()
        assert sent < count
        assert response.buffered <= 65536 + 2 * 262_144, "the limit, and what one read brings"
        assert sum([len(chunk) async for chunk in response]) == len(slice_) * count
        await server.until_open(1)
        assert client.prepare("POST", server.url()).pool._size == 1


async def test_a_slow_origin_pauses_the_writing() -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await go_on.wait()
        _, body = await peer.request()
        await peer.answer(b"%d" % len(body))

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        task = asyncio.ensure_future(client.send(prepared, b"x" * 2**25))
        while not prepared.pool._open:
            await asyncio.sleep(0)
        (connection,) = prepared.pool._open
        while connection._drained is None:
            await asyncio.sleep(0)
        assert connection._transport.get_write_buffer_size() < 2**20
        go_on.set()
        assert await (await task).read() == b"%d" % 2**25
