"""Sending, reusing, retrying, cancelling."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.upstream import Client, ConnectionLost, Limits, Timeouts
from gateway.upstream.connection import Connection

from .server import Peer, closing, echo, serve


async def test_sends_the_head_and_the_body_as_given() -> None:
    async with serve(echo) as server, closing(Client()) as client:
        prepared = client.prepare(
            "POST", server.url("/v1/chat?x=1#here"), [(b"authorization", b"Bearer not-a-key")]
        )
        response = await client.send(prepared, b"hello", headers=[(b"x-request-id", b"r1")])
        assert response.status == 200
        assert response.headers == [(b"content-length", b"5")]
        assert response.header(b"content-length") == b"5"
        assert response.header(b"content-type") is None
        assert await response.read() == b"hello"
    assert server.requests == [
        b"POST /v1/chat?x=1 HTTP/1.1\r\n"
        b"host: 127.0.0.1:%d\r\n"
        b"authorization: Bearer not-a-key\r\n"
        b"user-agent: asgi-gateway\r\n"
        b"accept-encoding: identity\r\n"
        b"x-request-id: r1\r\n"
        b"content-length: 5\r\n\r\nhello" % server.port
    ]


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with serve(echo) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        for number in range(20):
            response = await client.send(prepared, b"%d" % number)
            assert await response.read() == b"%d" % number
        assert server.accepted == 1


async def test_a_get_has_no_length_and_an_empty_post_has() -> None:
    async with serve(echo) as server, closing(Client()) as client:
        for method in ("GET", "POST"):
            await (await client.send(client.prepare(method, server.url()))).read()
    get, post = server.requests
    assert b"content-length" not in get
    assert b"content-length: 0\r\n" in post


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body_by_status(status: str) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 %b\r\ncontent-length: 5\r\n\r\n" % status.encode())

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("GET", server.url())
        for _ in range(2):
            assert await (await client.send(prepared)).read() == b""
        assert server.accepted == 1


async def test_head_has_no_body_and_closes() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")

    async with serve(script) as server, closing(Client()) as client:
        response = await client.send(client.prepare("HEAD", server.url()))
        assert response.header(b"content-length") == b"5"
        assert await response.read() == b""
        await server.until_open(0)


async def test_redirects_are_returned() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"", status="302 Found", head=b"Location: /elsewhere\r\n")

    async with serve(script) as server, closing(Client()) as client:
        response = await client.send(client.prepare("GET", server.url()))
        assert response.status == 302
        assert response.header(b"location") == b"/elsewhere"


async def test_connection_close_is_honoured() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"bye", head=b"connection: close\r\n")

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("GET", server.url())
        for _ in range(2):
            assert await (await client.send(prepared)).read() == b"bye"
        assert server.accepted == 2
        await server.until_open(0)


async def test_nagle_is_off() -> None:
    async with serve(echo) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        await (await client.send(prepared, b"x")).read()
        connection = prepared.pool.take(0.0, wary=False)
        assert connection is not None
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_a_pooled_connection_that_the_peer_closed_is_replaced_for_any_method() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"%d" % peer.number)
        peer.close()

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        for number in (1, 2, 3):
            assert await (await client.send(prepared, b"x")).read() == b"%d" % number
            while prepared.pool._idle:
                await asyncio.sleep(0)
        assert len(server.requests) == 3


async def test_a_close_that_the_event_loop_has_not_seen_yet_is_noticed_before_a_post_is_written() -> None:
    server_side: list[Peer] = []

    async def script(peer: Peer) -> None:
        server_side.append(peer)
        await peer.request()
        await peer.answer(b"%d" % peer.number)

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        assert await (await client.send(prepared, b"x")).read() == b"1"
        pool = prepared.pool
        pool._idle[0].idle_since -= 1.0
        sock: socket.socket = server_side[0].writer.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(sock.fileno())) as behind_the_loops_back:
            behind_the_loops_back.shutdown(socket.SHUT_WR)
        assert await (await client.send(prepared, b"x")).read() == b"2"
        assert len(server.requests) == 2


async def _dies_on_the_second_request(peer: Peer) -> None:
    await peer.request()
    await peer.answer(b"%d" % peer.number)
    await peer.request()
    peer.reset()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_safe_request_is_sent_again_when_a_pooled_connection_dies_unanswered(method: str) -> None:
    async with serve(_dies_on_the_second_request) as server, closing(Client()) as client:
        await (await client.send(client.prepare("GET", server.url()))).read()
        response = await client.send(client.prepare(method, server.url()))
        assert response.status == 200
        assert server.accepted == 2
        assert len(server.requests) == 3


async def test_a_post_is_never_sent_again_once_written() -> None:
    async with serve(_dies_on_the_second_request) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        await (await client.send(prepared, b"x")).read()
        with pytest.raises(
            ConnectionLost, match=rf"127.0.0.1:{server.port} closed .* without an answer"
        ) as caught:
            await client.send(prepared, b"x")
        assert caught.value.sent
        assert len(server.requests) == 2


async def test_a_request_is_sent_again_only_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer()
        await peer.request()
        peer.reset()

    limits = Limits(max_connections=2)
    async with serve(script) as server, closing(Client(limits=limits)) as client:
        prepared = client.prepare("GET", server.url())
        first, second = await asyncio.gather(client.send(prepared), client.send(prepared))
        await first.read()
        await second.read()
        with pytest.raises(ConnectionLost):
            await client.send(prepared)
        assert len(server.requests) == 4


async def test_a_fresh_connection_that_dies_is_not_retried() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with serve(script) as server, closing(Client()) as client:
        with pytest.raises(ConnectionLost):
            await client.send(client.prepare("GET", server.url()))
        assert server.accepted == 1


async def test_cancelling_while_waiting_for_the_head_drops_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()

    async with serve(script) as server, closing(Client(limits=Limits(max_connections=1))) as client:
        prepared = client.prepare("POST", server.url())
        for round_ in (1, 2):
            task = asyncio.ensure_future(client.send(prepared, b"x"))
            await server.until_requests(round_)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until_open(0)


async def test_cancelling_while_waiting_for_the_body_drops_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")

    async with serve(script) as server, closing(Client()) as client:
        response = await client.send(client.prepare("POST", server.url()))
        task = asyncio.ensure_future(response.read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until_open(0)


async def test_cancelling_a_request_whose_answer_has_just_ended_leaves_the_next_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection may be lent to somebody else by the time the cancelled task wakes up."""
    async with serve(echo) as server, closing(Client(limits=Limits(max_connections=1))) as client:
        prepared = client.prepare("POST", server.url())
        await (await client.send(prepared, b"warm up")).read()
        cancelled = asyncio.ensure_future(client.send(prepared, b"first"))
        await asyncio.sleep(0)
        following = asyncio.ensure_future(client.send(prepared, b"second"))
        await asyncio.sleep(0)
        pool = prepared.pool
        release = pool.release

        def release_and_cancel(connection: Connection) -> None:
            release(connection)
            cancelled.cancel()

        monkeypatch.setattr(pool, "release", release_and_cancel)
        response = await following
        assert await response.read() == b"second"
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert server.accepted == 1


async def test_closing_the_client_fails_what_is_running_and_closes_every_socket() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.answer()

    async with serve(script) as server:
        client = Client()
        prepared = client.prepare("GET", server.url())
        await (await client.send(prepared)).read()
        holding = [asyncio.ensure_future(client.send(prepared)) for _ in range(3)]
        await server.until_requests(3)
        await client.close()
        for result in await asyncio.gather(*holding, return_exceptions=True):
            assert isinstance(result, ConnectionLost)
        await server.until_open(0)
        with pytest.raises(RuntimeError, match="closed"):
            await client.send(prepared)
        await client.close()


async def test_a_client_can_be_made_and_closed_without_a_loop_having_run_anything() -> None:
    client = Client(timeouts=Timeouts(), limits=Limits())
    client.prepare("POST", "https://api.example.com/v1")
    await client.close()


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    async with serve(echo) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        for _ in range(2):
            assert await (await client.send(prepared, body)).read() == body
        assert server.accepted == 1


async def test_an_error_that_comes_before_the_body_is_out_ends_the_writing() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.answer(b"too long", status="413 Content Too Large")
        await asyncio.Event().wait()

    async with serve(script) as server, closing(Client()) as client:
        prepared = client.prepare("POST", server.url())
        response = await client.send(prepared, b"x" * 2**26)
        assert response.status == 413
        assert await response.read() == b"too long"
        assert prepared.pool._size == 0, "half a request is on the wire"


async def test_cancelling_while_the_body_is_being_written_drops_the_connection() -> None:
    stalled = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        stalled.set()
        await asyncio.Event().wait()

    limits = Limits(max_connections=1)
    async with serve(script) as server, closing(Client(limits=limits)) as client:
        prepared = client.prepare("POST", server.url())
        task = asyncio.ensure_future(client.send(prepared, b"x" * 2**26))
        await stalled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert prepared.pool._size == 0
