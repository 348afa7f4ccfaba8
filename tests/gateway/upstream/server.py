"""A server that does on its sockets whatever a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable

from gateway.upstream import Client


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = server.accepted
        """1 for the first connection of the server."""

    async def request(self) -> tuple[bytes, bytes]:
        """Read one request; return its head and its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = await self.reader.readexactly(length)
        self.server.requests.append(head + body)
        return head, body

    async def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.writer.write(packet)
            await self.writer.drain()

    async def answer(self, body: bytes = b"ok", *, status: str = "200 OK", head: bytes = b"") -> None:
        length = b"content-length: %d\r\n" % len(body)
        await self.send(b"HTTP/1.1 " + status.encode() + b"\r\n" + head + length + b"\r\n" + body)

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """Counts what clients do, while `script` decides what they get."""

    def __init__(self, script: Script, scheme: str) -> None:
        self.accepted = 0
        self.requests: list[bytes] = []
        self.open: set[Peer] = set()
        self.port = 0
        self._script = script
        self._scheme = scheme
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    async def until_open(self, count: int) -> None:
        """Wait until so many connections are open."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.open) == count)

    async def until_requests(self, count: int) -> None:
        """Wait until so many requests have been read."""
        while len(self.requests) < count:
            await asyncio.sleep(0.001)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        peer = Peer(self, reader, writer)
        self.open.add(peer)
        await self._tell()
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._script(peer)
                await peer.gone()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self.open.discard(peer)
            await self._tell()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@contextlib.asynccontextmanager
async def serve(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncGenerator[Server]:
    """Listen on a free port of the loopback."""
    server = Server(script, "https" if tls else "http")
    listener = await asyncio.start_server(server.handle, host, 0, ssl=tls, limit=2**20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


@contextlib.asynccontextmanager
async def closing(client: Client) -> AsyncGenerator[Client]:
    """Close the client at the end."""
    try:
        yield client
    finally:
        await client.close()


async def echo(peer: Peer) -> None:
    """Answer every request with its body."""
    while True:
        _, body = await peer.request()
        await peer.answer(body)
