"""Lending connections: limits, order, expiry."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream import Client, ConnectFailed, ConnectionLost, Limits, PoolTimeout, Response, Timeouts
from gateway.upstream.connection import Connection

from .server import Peer, Server, closing, echo, serve


async def test_no_more_connections_than_allowed_and_waiters_are_served_in_order() -> None:
    order: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            order.append(body)
            assert len(peer.server.open) <= 2
            await peer.answer(body)

    async with serve(script) as server, closing(Client(limits=Limits(max_connections=2))) as client:
        prepared = client.prepare("POST", server.url())

        async def call(number: int) -> bytes:
            return await (await client.send(prepared, b"%03d" % number)).read()

        answers = await asyncio.gather(*(call(number) for number in range(100)))
        assert answers == [b"%03d" % number for number in range(100)]
        assert server.accepted == 2
        assert all(abs(int(body) - place) <= 1 for place, body in enumerate(order))


async def _hold(server: Server, client: Client) -> Response:
    return await client.send(client.prepare("POST", server.url()), b"hold")


async def _holds(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")


async def test_waiting_for_a_connection_is_bounded() -> None:
    timeouts = Timeouts(connect=1)
    async with (
        serve(_holds) as server,
        closing(Client(limits=Limits(max_connections=1), timeouts=timeouts)) as client,
    ):
        held = await _hold(server, client)
        with pytest.raises(
            PoolTimeout, match=rf"all 1 connections to 127.0.0.1:{server.port} stayed"
        ) as caught:
            await _hold(server, client)
        assert not caught.value.sent
        held.close()
        (await _hold(server, client)).close()


async def test_a_dropped_connection_makes_room_for_who_waits() -> None:
    async with serve(_holds) as server, closing(Client(limits=Limits(max_connections=1))) as client:
        held = await _hold(server, client)
        waiting = asyncio.ensure_future(_hold(server, client))
        await asyncio.sleep(0)
        held.close()
        (await waiting).close()
        assert server.accepted == 2


async def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    async with serve(_holds) as server, closing(Client(limits=Limits(max_connections=1))) as client:
        held = await _hold(server, client)
        first, second = (asyncio.ensure_future(_hold(server, client)) for _ in range(2))
        await asyncio.sleep(0)
        held.close()  # gives the first the right to connect
        first.cancel()
        (await second).close()
        assert first.cancelled()


async def test_a_waiter_cancelled_with_a_connection_in_hand_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
            await go_on.wait()
            await peer.send(b"k")

    async with serve(script) as server, closing(Client(limits=Limits(max_connections=1))) as client:
        prepared = client.prepare("POST", server.url())
        held = await client.send(prepared)
        first, second = (asyncio.ensure_future(client.send(prepared)) for _ in range(2))
        await asyncio.sleep(0)
        pool = prepared.pool
        release = pool.release

        def release_and_cancel(connection: Connection) -> None:
            monkeypatch.undo()
            release(connection)
            first.cancel()

        monkeypatch.setattr(pool, "release", release_and_cancel)
        go_on.set()
        assert await held.read() == b"ok"
        assert await (await second).read() == b"ok"
        assert server.accepted == 1
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_failed_connect_makes_room_for_who_waits() -> None:
    async with serve(echo) as server:
        port = server.port
    async with closing(Client(limits=Limits(max_connections=1))) as client:
        prepared = client.prepare("POST", f"http://127.0.0.1:{port}/")
        results = await asyncio.gather(*(client.send(prepared) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(result, ConnectFailed) for result in results)
        assert prepared.pool._size == 0


async def test_the_most_recently_used_connection_comes_first_and_the_others_expire() -> None:
    async with serve(echo) as server, closing(Client(limits=Limits(idle_expiry=0.4))) as client:
        prepared = client.prepare("POST", server.url())
        first, second = await asyncio.gather(client.send(prepared, b"1"), client.send(prepared, b"2"))
        await first.read()
        await second.read()
        assert len(server.open) == 2
        while len(server.open) == 2:
            await (await client.send(prepared, b"x")).read()
        assert server.accepted == 2
        await server.until_open(0)
        assert not client._ticker.running


async def test_no_more_idle_connections_than_allowed() -> None:
    async with serve(echo) as server, closing(Client(limits=Limits(max_idle=1))) as client:
        prepared = client.prepare("POST", server.url())
        for response in await asyncio.gather(*(client.send(prepared, b"x") for _ in range(4))):
            await response.read()
        await server.until_open(1)


async def test_an_idle_connection_on_which_something_arrives_is_dropped() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"%d" % peer.number)
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        for number in (1, 2):
            assert await (await client.send(prepared)).read() == b"%d" % number
            await server.until_open(0)


async def test_origins_do_not_share_connections() -> None:
    async with (
        serve(echo) as one,
        serve(echo) as two,
        closing(Client(limits=Limits(max_connections=1))) as client,
    ):
        held = await client.send(client.prepare("POST", one.url()), b"1")
        other = await client.send(client.prepare("POST", two.url()), b"2")
        assert (await held.read(), await other.read()) == (b"1", b"2")


async def test_closing_the_client_refuses_who_waits() -> None:
    async with serve(_holds) as server:
        client = Client(limits=Limits(max_connections=1))
        held = await _hold(server, client)
        waiting = asyncio.ensure_future(_hold(server, client))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(PoolTimeout, match="client was closed"):
            await waiting
        with pytest.raises(ConnectionLost):
            await held.read()
