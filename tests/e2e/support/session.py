"""A service on the loopback that has realtime sessions, as a test tells it to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Handler = Callable[[ServerConnection], Awaitable[None]]
CREATED = {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1", "new_field": [1]}}


class Service:
    """What it was asked, and where it is."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.requests: list[Request] = []


@asynccontextmanager
async def service(
    handler: Handler, *, refuse: Callable[[ServerConnection], Response] | None = None
) -> AsyncGenerator[Service]:
    """Serve sessions for the length of the block."""
    found: list[Service] = []

    def note(connection: ServerConnection, request: Request) -> Response | None:
        found[0].requests.append(request)
        return refuse(connection) if refuse else None

    async def run(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the gateway has ended the session
            await handler(connection)

    async with serve(run, "127.0.0.1", 0, process_request=note, compression=None) as server:
        found.append(Service(next(iter(server.sockets)).getsockname()[1]))
        yield found[0]


async def tell(connection: ServerConnection, event: dict[str, Any]) -> None:
    """Send an event."""
    await connection.send(json.dumps(event))


def done(prompt: int, made: int, *, cached: int = 0, heard: int = 0, spoken: int = 0) -> dict[str, Any]:
    """Make the event that ends a response, with its usage."""
    usage = {
        "total_tokens": prompt + made,
        "input_tokens": prompt,
        "output_tokens": made,
        "input_token_details": {
            "cached_tokens": cached,
            "text_tokens": prompt - heard,
            "audio_tokens": heard,
        },
        "output_token_details": {"text_tokens": made - spoken, "audio_tokens": spoken},
    }
    return {
        "type": "response.done",
        "event_id": "event_2",
        "response": {"status": "completed", "usage": usage},
    }


def joining(
    url: str,
    query: str = "model=up/talker",
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> connect:
    """Connect to the gateway as a client would."""
    headers = {**(headers or {}), **({"authorization": f"Bearer {key}"} if key else {})}
    return connect(
        f"ws{url.removeprefix('http')}/v1/realtime?{query}", additional_headers=headers, proxy=None, **more
    )


async def heard(connection: ClientConnection) -> dict[str, Any]:
    """Receive one event."""
    return json.loads(await connection.recv())


async def ending(connection: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Receive all events that are left, and the code of the close."""
    events: list[dict[str, Any]] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            events.append(json.loads(await connection.recv()))
    return events, connection.close_code
