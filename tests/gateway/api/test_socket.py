"""A session whose provider's plugin fails ends, and the client is told that it did not end well."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.api.socket import SocketReply
from gateway.types import Answer
from gateway.wire import REALTIME, WIRES


class Breaking:
    """Cannot be sent anything."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def send(self, message: str | bytes) -> None:
        raise ValueError(message)

    async def close(self) -> None:
        self.closed.set()


async def test_a_session_that_takes_no_message_ends() -> None:
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "gateway.request_id": "req_1"}
    reply = SocketReply(WIRES[REALTIME], scope, incoming.get, send, subprotocol=None)
    session = Breaking()
    answer = Answer(101, [])
    answer.session = session
    reply.listen()
    await reply.begin(answer)
    incoming.put_nowait({"type": "websocket.receive", "text": "hello"})
    async with asyncio.timeout(30):
        await session.closed.wait()
    await reply.end()
    await reply.stop()
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == 1011
