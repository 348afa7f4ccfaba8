"""Clients that do what clients do to servers: vanish, dawdle, and send nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

SLOW_BUFFER_BYTES = 2048
SLOW_READ_SECONDS = 0.02
TIMEOUT_SECONDS = 30
REFUSED = b"HTTP/1.1 4"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to trouble, and with what."""

    port: int
    request: bytes
    stream: bytes


class Unexpected(Exception):
    """The server answered what it should not have."""


async def gone_in_request(target: Target) -> None:
    """Send half a request and go."""
    async with _connected(target) as (_, writer):
        writer.write(target.request[: len(target.request) // 2])
        await writer.drain()


async def gone_in_stream(target: Target) -> None:
    """Read the beginning of a stream and go."""
    async with _connected(target) as (reader, writer):
        writer.write(target.stream)
        if not (await reader.read(1024)).startswith(b"HTTP/1.1 200"):
            raise Unexpected("a stream did not begin")


async def gone_before_answer(target: Target) -> None:
    """Send a request and go without waiting."""
    async with _connected(target) as (_, writer):
        writer.write(target.request)
        await writer.drain()


async def slow_reader(target: Target) -> None:
    """Read a stream in small sips, to its end."""
    async with _connected(target, receive_buffer=SLOW_BUFFER_BYTES) as (reader, writer):
        writer.write(target.stream)
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            data = await reader.read(SLOW_BUFFER_BYTES)
            if not data:
                raise Unexpected("a slow reader did not get the whole stream")
            seen = (seen + data)[-64:]
            await asyncio.sleep(SLOW_READ_SECONDS)


async def malformed_http(target: Target) -> None:
    """Send what is no HTTP."""
    async with _connected(target) as (reader, writer):
        writer.write(b"POST \x00 HTTP/9.9\r\nContent-Length: twelve\r\n\r\n")
        if not (await reader.read(4096)).startswith(REFUSED):
            raise Unexpected("malformed HTTP was not refused")


async def malformed_json(target: Target) -> None:
    """Send half a JSON document as a whole body."""
    head, _, body = target.request.partition(b"\r\n\r\n")
    half = body[: len(body) // 2]
    head = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % len(half))
    async with _connected(target) as (reader, writer):
        writer.write(head + b"\r\n\r\n" + half)
        if not (await reader.read(4096)).startswith(REFUSED):
            raise Unexpected("malformed JSON was not refused")


Client: TypeAlias = Callable[[Target], Awaitable[None]]
KINDS: tuple[Client, ...] = (
    gone_in_request,
    gone_in_stream,
    gone_before_answer,
    slow_reader,
    malformed_http,
    malformed_json,
)


async def misbehave(target: Target, count: int, *, at_once: int) -> list[str]:
    """Run so many misbehaving clients, each kind in turn; say what the server did wrong."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    random.Random(count).shuffle(kinds)  # noqa: S311 - no secret depends on it
    waiting = iter(kinds)
    wrong: list[str] = []

    async def work() -> None:
        for kind in waiting:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await kind(target)
            except (OSError, TimeoutError, Unexpected) as error:
                wrong.append(f"{kind.__name__}: {error or type(error).__name__}")

    await asyncio.gather(*(work() for _ in range(at_once)))
    return wrong


@contextlib.asynccontextmanager
async def _connected(
    target: Target, *, receive_buffer: int | None = None
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and cut the connection at the end instead of closing it politely."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(0)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", target.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=receive_buffer or 1 << 16)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
