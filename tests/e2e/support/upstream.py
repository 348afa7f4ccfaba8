"""A provider that does what a test says, byte by byte: a raw HTTP/1.1 server on the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error"}


class Exchange:
    """One request that the gateway sent, and the way to answer it."""

    def __init__(
        self,
        head: bytes,
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        request, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = request.split(" ")
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        self.body = body
        self.reader = reader
        self.writer = writer
        self.closed = asyncio.Event()
        """Set when the gateway has closed the connection."""

    @property
    def json(self) -> dict[str, Any]:
        """The request body."""
        return json.loads(self.body)

    @property
    def said(self) -> str:
        """The text of the last message."""
        return str(self.json["messages"][-1]["content"])

    async def send(self, data: bytes) -> None:
        """Send raw bytes, waiting while the gateway does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self,
        body: bytes | dict[str, Any],
        *,
        status: int = 200,
        type: str = "application/json",
        headers: Sequence[str] = (),
    ) -> None:
        """Send a whole answer."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        await self.send(_head(status, type, [*headers, f"content-length: {len(data)}"]) + data)

    async def begin(self, *, type: str = "text/event-stream", headers: Sequence[str] = ()) -> None:
        """Begin a chunked answer."""
        await self.send(_head(200, type, [*headers, "transfer-encoding: chunked"]))

    async def chunk(self, data: bytes) -> None:
        """Send some bytes of a chunked answer, in a packet of their own."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def say(self, text: str, **fields: Any) -> None:
        """Send an event with some text in it."""
        await self.event(
            {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **fields}
        )

    async def event(self, fields: dict[str, Any]) -> None:
        """Send one event of a chat stream."""
        await self.chunk(b"data: " + json.dumps({**CHUNK, **fields}).encode() + b"\n\n")

    async def finish(self, usage: dict[str, int] | None = None) -> None:
        """Send finish reason, usage, `[DONE]` and the end of the answer."""
        await self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if usage is not None:
            await self.event({"choices": [], "usage": usage})
        await self.chunk(b"data: [DONE]\n\n")
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing until the gateway closes the connection."""
        await self.reader.read()
        self.closed.set()


CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def completion(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """Make a whole chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
        **fields,
    }


def _head(status: int, type: str, headers: Sequence[str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", f"content-type: {type}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


Handler = Callable[[Exchange], Awaitable[None]]


class Upstream:
    """Accepts connections and hands every request to the handler of the moment."""

    def __init__(self, handler: Handler, listener: socket.socket) -> None:
        self.handler = handler
        self.exchanges: list[Exchange] = []
        self.faults: list[BaseException] = []
        self._listener = listener
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, sock=self._listener.dup(), limit=2**26)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        assert not self.faults, self.faults

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0].strip()
                exchange = Exchange(head, await reader.readexactly(int(length or b"0")), reader, writer)
                self.exchanges.append(exchange)
                await self.handler(exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the gateway has gone, or the test is over
        except Exception as error:
            self.faults.append(error)
            raise
        finally:
            self._connections.discard(task)
            writer.close()


def listen() -> socket.socket:
    """Open a listening socket that outlives single upstreams, so that the port stays ours."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener
