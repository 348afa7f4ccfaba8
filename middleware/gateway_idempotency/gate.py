"""Stands around the whole application, and steps in where a request brings an `Idempotency-Key`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.errors import GatewayError
from gateway.push import DONE
from gateway_idempotency.asked import HEADER, read

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.protocols import Incoming
    from gateway.types import Principal
    from gateway_idempotency.bills import Bills
    from gateway_idempotency.desk import Desk, Entry

_CHANGE_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Answered(GatewayError):
    """The request has its answer; whoever serves it has nothing left to do, and nothing to say."""

    status = 499
    code = "answered"


class Gate:
    """Lets requests without a key through untouched. `desk` gives the keys, once the gateway has started."""

    def __init__(self, app: ASGIApp, desk: Callable[[], Desk], bills: Bills) -> None:
        self._app = app
        self._desk = desk
        self._bills = bills

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection; without a frame of its own where there is no key."""
        if scope["type"] == "http" and scope["method"] not in _CHANGE_NOTHING:
            for name, _ in scope["headers"]:
                if name == HEADER:
                    return self._serve(scope, receive, send)
        return self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = KeyedRequest(self._desk(), self._bills, scope["gateway.request_id"], receive, send)
        scope["gateway.admitted"] = request.admitted
        scope["gateway.begun"] = request.begun
        try:
            await self._app(scope, request.receive, request.send)
        finally:
            await request.close()


class KeyedRequest:
    """A request with a key. Until its caller is known, and where that is never asked, it is one like all others."""

    def __init__(self, desk: Desk, bills: Bills, id: str, receive: Receive, send: Send) -> None:
        self._desk = desk
        self._bills = bills
        self._id = id
        self._receive = receive
        self._send = send
        self._admitted = False
        self._answered = False
        self._gone = False
        self._entry: Entry | None = None
        """Under which it is carried out."""

    async def admitted(self, incoming: Incoming, principal: Principal) -> None:
        """Let the request be carried out, or answer it as the one before was. Raises `Answered` then."""
        if self._admitted:
            return
        self._admitted = True
        asked = await read(incoming, principal)
        while True:
            entry = await self._desk.take(asked)
            if entry.mine and entry.asked is asked:
                self._entry = entry
                self._bills.begin(self._id, entry)
                entry.settled = partial(self._bills.end, self._id)
                return
            if await entry.recording.follow(self._send_on):
                self._answered = True
                raise Answered("The request was answered as the one before it.")

    async def begun(self, connection: AsyncConnection, work: str) -> None:
        """Note what the request has begun, such as a batch, in the transaction that stores it: `gateway.store.kept_answers`."""
        if self._entry is not None:
            await self._bills.begun(connection, self._entry, work)

    async def receive(self) -> Message:
        """Read on; but a client that goes away stops nothing: it may come again for its answer."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._entry is not None:
            await asyncio.get_running_loop().create_future()
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send, and note what is sent. The end is sent when it is written down."""
        if self._answered:
            return DONE
        entry = self._entry
        if entry is None:
            return self._send(message)
        entry.recording.note(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            return self._end(entry, message)
        if self._gone:
            return DONE
        sending = self._send(message)
        return DONE if sending is DONE else self._survive(sending)

    async def close(self) -> None:
        """Give the key back, unless the answer came to its end."""
        entry, self._entry = self._entry, None
        if entry is not None:
            await self._desk.close(entry, whole=False)

    async def _end(self, entry: Entry, message: Message) -> None:
        self._entry = None
        await self._desk.close(entry, whole=True)
        if not self._gone:
            await self._send_on(message)

    async def _send_on(self, message: Message) -> None:
        if not self._gone:
            await self._survive(self._send(message))

    async def _survive(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except OSError:  # how ASGI 2.4 servers say that the client has gone
            self._gone = True
