"""Clients that keep a connection and say too little: raw sockets, and a server with little patience."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from gateway import Gateway
from gateway.cli.http import Http, Patience
from gateway.cli.server import Server

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: %d\r\n\r\n"
BODY = b'{"model": "mock/echo", "messages": [{"role": "user", "content": "%b"}]}'

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def served(folder: Path, patience: Patience) -> AsyncGenerator[tuple[Server, Dial]]:
    """A gateway on a socket, and a way to connect to it."""
    ready = asyncio.Event()
    gateway = Gateway.from_dict(
        {"gateway": {"database": f"sqlite:///{folder / 'gateway.db'}"}, "provider": {"mock": {}}}
    )
    server = Server(gateway, on_ready=ready.set, patience=patience)
    writers: list[asyncio.StreamWriter] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        port: int = listener.getsockname()[1]

        async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        await ready.wait()
        try:
            yield server, dial
        finally:
            for writer in writers:
                writer.close()
            server.leave()
            await task


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and error code of an answer that says it is the last one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with served(tmp_path, Patience(idle=0.2)) as (_, dial):
        reader, _ = await dial()
        assert await reader.read() == b""


async def test_a_closed_connection_is_freed_without_the_collector(tmp_path: Path) -> None:
    async with served(tmp_path, Patience()) as (server, dial):
        reader, writer = await dial()
        body = BODY % b"Hello"
        writer.write(HEAD % len(body) + body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        (connection,) = map(weakref.ref, server.server_state.connections)
        gc.disable()
        try:
            writer.close()
            async with asyncio.timeout(30):
                while connection() is not None:
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()


async def answered(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))


async def test_a_connection_that_was_looked_at_between_two_requests_and_in_one_serves_on(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, Patience()) as (server, dial):
        reader, writer = await dial()

        def look() -> None:
            for connection in server.server_state.connections:
                assert isinstance(connection, Http)
                connection.look(asyncio.get_running_loop().time(), Patience())

        requests = [HEAD % len(body) + body for body in (BODY % b"one", BODY % b"two", BODY % b"three")]
        writer.write(requests[0])
        assert b"one" in await answered(reader)
        look()
        writer.write(requests[1] + requests[2][:40])
        assert b"two" in await answered(reader)
        look()
        writer.write(requests[2][40:-5])
        await asyncio.sleep(0.05)
        look()
        writer.write(requests[2][-5:])
        assert b"three" in await answered(reader)


async def test_a_connection_that_sends_empty_lines_only_is_closed(tmp_path: Path) -> None:
    async with served(tmp_path, Patience(idle=0.2)) as (_, dial):
        reader, writer = await dial()
        writer.write(b"\r\n")
        assert await reader.read() == b""


async def test_a_head_that_is_never_complete_is_refused_however_much_of_it_comes(tmp_path: Path) -> None:
    async with served(tmp_path, Patience(head=0.2)) as (_, dial):
        reader, writer = await dial()
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\n")
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"x-slow: yes\r\n")
            await asyncio.wait([answer], timeout=0.05)
        with contextlib.suppress(ConnectionResetError):  # its last line may have crossed the refusal
            assert refusal(answer.result()) == (408, "request_timeout")


async def test_the_second_head_of_a_connection_is_bounded_too(tmp_path: Path) -> None:
    async with served(tmp_path, Patience(head=0.2)) as (_, dial):
        reader, writer = await dial()
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\nGET /heal")
        answer = await reader.read()
        first, second = answer.split(b'{"status":"ok"}')
        assert first.startswith(b"HTTP/1.1 200")
        assert refusal(second) == (408, "request_timeout")


@pytest.mark.parametrize("sent", [b"", b'{"model": '])
async def test_a_body_that_stops_coming_is_refused(tmp_path: Path, sent: bytes) -> None:
    async with served(tmp_path, Patience(stall=0.2)) as (server, dial):
        reader, writer = await dial()
        writer.write(HEAD % 1000 + sent)
        assert refusal(await reader.read()) == (408, "request_timeout")
        while server.server_state.tasks:  # the request's: it ends with its connection
            await asyncio.sleep(0)


async def test_a_slow_body_that_goes_on_is_waited_for(tmp_path: Path) -> None:
    body = BODY % b"Hello"
    async with served(tmp_path, Patience(head=1, stall=2)) as (_, dial):
        reader, writer = await dial()
        writer.write(HEAD % len(body))
        for place in range(0, len(body), 8):
            writer.write(body[place : place + 8])
            await asyncio.sleep(0.25)  # what is tested is slowness
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_long_call_is_no_reason_to_lose_patience(tmp_path: Path) -> None:
    body = BODY % b"@delay=2500 Hello"
    async with served(tmp_path, Patience(idle=1, head=1, stall=1)) as (_, dial):
        reader, writer = await dial()
        writer.write(HEAD % len(body) + body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_pipelined_request_does_not_disturb_the_answer_before_it(tmp_path: Path) -> None:
    body = BODY % b"@delay=2500 Hello"
    async with served(tmp_path, Patience(head=1, stall=1)) as (_, dial):
        reader, writer = await dial()
        writer.write(HEAD % len(body) + body + HEAD % 1000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert b"request_timeout" in await reader.read()


async def test_a_client_that_does_not_take_its_last_bytes_is_cut_off(tmp_path: Path) -> None:
    body = BODY % (b"x" * 8_000_000)
    async with served(tmp_path, Patience(stall=1)) as (server, dial):
        reader, writer = await dial()
        transport = cast("asyncio.Transport", writer.transport)
        transport.pause_reading()
        writer.write((HEAD % len(body)).replace(b"host:", b"connection: close\r\nhost:") + body)
        await writer.drain()
        while server.server_state.connections:
            await asyncio.sleep(0.01)
        transport.resume_reading()
        with contextlib.suppress(ConnectionResetError):
            assert len(await reader.read()) < 8_000_000
