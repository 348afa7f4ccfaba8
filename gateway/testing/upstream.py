"""An AI service on the loopback that answers as a test tells it, over a real socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from msgspec import Struct


class UpstreamRequest(Struct, frozen=True):
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes


class Reply(Struct, frozen=True, kw_only=True):
    """What the service sends back, and how that ends.

    `cut` resets the connection after the parts; `hang` says nothing more after them, and without parts nothing at all.
    """

    status: int = 200
    headers: Mapping[str, str] = {}
    parts: Sequence[bytes] = ()
    """Sent one by one, with chunked encoding."""
    ending: Literal["end", "cut", "hang"] = "end"


class FakeUpstream:
    """Serves HTTP/1.1 while it is entered: `async with FakeUpstream() as upstream`."""

    def __init__(self) -> None:
        self.requests: list[UpstreamRequest] = []
        self.url = ""
        """Address without a path, known once it is entered."""
        self._replies: deque[Reply] = deque()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._busy = 0
        self._changed = asyncio.Condition()

    def reply(self, *replies: Reply) -> None:
        """Answer the next requests with these; the last one goes on for all that follow."""
        self._replies.extend(replies)

    async def reached(self) -> None:
        """Wait until a request has arrived."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.requests)

    async def released(self) -> None:
        """Wait until no answer is under way any more: each was sent whole, or its connection was closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._busy == 0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while (request := await _read(reader)) is not None:
                await self._note(request)
                try:
                    await self._answer(reader, writer)
                finally:
                    await self._note(None)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone, which is its right
        finally:
            del self._connections[task]
            writer.close()

    async def _note(self, request: UpstreamRequest | None) -> None:
        async with self._changed:
            if request is None:
                self._busy -= 1
            else:
                self.requests.append(request)
                self._busy += 1
            self._changed.notify_all()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
        if reply.parts or reply.ending == "end":
            fields = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            writer.write(
                f"HTTP/1.1 {reply.status} Scripted\r\n{fields}transfer-encoding: chunked\r\n\r\n".encode()
            )
        for part in reply.parts:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        match reply.ending:
            case "end":
                writer.write(b"0\r\n\r\n")
                await writer.drain()
            case "cut":
                writer.close()
                raise ConnectionResetError
            case "hang":
                await reader.read()


async def _read(reader: asyncio.StreamReader) -> UpstreamRequest | None:
    """Read one request; None when the client has closed the connection between requests."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _version = first.split(" ")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return UpstreamRequest(method, path, headers, body)
