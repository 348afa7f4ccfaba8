"""A client on a bare socket, which sees every byte and can misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self


def chat_body(text: str = "hi", *, model: str = "mock/echo", stream: bool = False, **more: Any) -> bytes:
    """Make the body of a chat request."""
    fields = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream, **more}
    return json.dumps(fields).encode()


def request(
    body: bytes,
    *,
    key: str | None = None,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Make the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", "content-type: application/json"]
    lines += [f"content-length: {len(body)}"]
    lines += [f"authorization: Bearer {key}"] if key else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RawClient:
    """One connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**16)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def ask(self, data: bytes) -> None:
        """Send a request and read the head of its answer."""
        self.writer.write(data)
        await self.writer.drain()
        await self.head()

    async def head(self) -> None:
        """Read the head of an answer."""
        async with asyncio.timeout(30):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        pairs = (line.partition(":") for line in lines[1:] if line)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}

    async def chunk(self) -> bytes | None:
        """Read one chunk: b"" is the clean end, None a connection that broke before it."""
        try:
            async with asyncio.timeout(30):
                size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                return (await self.reader.readexactly(size + 2))[:-2]
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def rest(self) -> tuple[bytes, bool]:
        """Read to the end: the bytes, and whether the end was clean."""
        data = b""
        while chunk := await self.chunk():
            data += chunk
        return data, chunk == b""

    async def body(self) -> bytes:
        """Read the body of an answer with a length."""
        async with asyncio.timeout(30):
            return await self.reader.readexactly(int(self.headers["content-length"]))

    async def json(self) -> dict[str, Any]:
        """Read a JSON answer."""
        return json.loads(await self.body())


def events(data: bytes) -> list[dict[str, Any]]:
    """Parse the JSON events of a stream; comments and `[DONE]` are left out."""
    found = (event for event in data.split(b"\n\n") if event.startswith(b"data: "))
    return [json.loads(event[6:]) for event in found if event != b"data: [DONE]"]
