"""One request to an ASGI application, message by message: shows what a client library hides, such as a stream without an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp, Message, Scope


class AsgiAnswer(Struct, kw_only=True):
    """What the application sent."""

    status: int = 0
    headers: dict[str, str] = {}
    parts: list[bytes] = []
    ended: bool = False
    """Whether it ended the answer; a server cuts the connection of one that it did not."""

    @property
    def body(self) -> bytes:
        """All parts in one."""
        return b"".join(self.parts)

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)


async def post(
    app: ASGIApp, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> AsgiAnswer:
    """Post JSON, and wait until the application is done with it."""
    content = json.dumps(body).encode()
    answer = AsgiAnswer()
    requests: asyncio.Queue[Message] = asyncio.Queue()
    requests.put_nowait({"type": "http.request", "body": content})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            if message.get("body"):
                answer.parts.append(message["body"])
            answer.ended = not message.get("more_body", False)

    fields = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }
    await app(scope, requests.get, send)
    return answer
