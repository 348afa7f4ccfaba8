"""One request and its answer on a connection of `gateway serve`, as ASGI sees it.

uvicorn hands the head of an answer and its body to the socket one after the other: two system calls where one will do.
Here the head waits for what follows it, as ASGI allows, and is searched once as a whole for what HTTP does not allow.

Sending also does its work as soon as it is called, where the client keeps up: then there is nothing left to await.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.cli.flow import Signal
from gateway.push import DONE, Later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from uvicorn.server import ServerState

    from gateway.cli.flow import Flow
    from gateway.types import RawHeaders

log = logging.getLogger("uvicorn.error")

UNFINISHED = "ASGI callable returned without completing response."
"""Logged of an answer that was not ended, as streams are not that have failed."""

_STATUS = {status: line.removesuffix(b"\r\n") for status, line in STATUS_LINE.items()}
_LINE = b": ".join
_LENGTH = b"content-length: %d"
_CHUNKED = b"transfer-encoding: chunked"
_CLOSE = b"connection: close"
_END = (b"", b"")
"""After the lines of a head."""
_CR, _LF, _NUL = b"\r\n\0"
"""What no header may hold, for with it the rest would be read as something else. As numbers: these are found fastest."""

NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

_FAULT: Any = {
    "type": "http.response.start",
    "status": 500,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"21"), (b"connection", b"close")],
}


class Connection(Protocol):
    """The connection, as its requests see it."""

    transport: asyncio.Transport
    flow: Flow
    tasks: set[asyncio.Task[None]]
    server_state: ServerState

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        ...


class Cycle:
    """A request and its answer. Calling it sends a message; it is what the application gets as `send`."""

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_head",
        "_left",
        "_transport",
        "_waiting",
        "disconnected",
        "flow",
        "keep_alive",
        "more_body",
        "news",
        "response_complete",
        "response_started",
        "scope",
        "task",
        "waiting_for_100_continue",
    )

    def __init__(self, connection: Connection, scope: Any, keep_alive: bool, expects_continue: bool) -> None:
        self.scope = scope
        self.flow = connection.flow
        self.keep_alive = keep_alive
        self.task: asyncio.Task[None] | None = None
        self.waiting_for_100_continue = expects_continue
        self.disconnected = False
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self._connection = connection
        self._transport = connection.transport
        self._body: bytes | bytearray = b""
        """Of the request, as far as it has come and was not received."""
        self.news = False
        """There is something to receive; then nobody waits for it."""
        self._waiting: Signal | None = None
        """For that; None while nobody does."""
        self._head = b""
        """The head of the answer, while it waits for the first piece of the body."""
        self._chunked: bool | None = None
        self._left = 0
        """Bytes of an answer of known length that are still to come."""

    async def run(self, app: Any) -> None:
        """Let the application answer; see to it that there is an answer."""
        try:
            await app(self.scope, self.receive, self)
        except BaseException as fault:
            log.exception("Exception in ASGI application", exc_info=fault)
            await self._make_do()
        else:
            if not (self.response_complete or self.disconnected):
                log.error(
                    UNFINISHED
                    if self.response_started
                    else "ASGI callable returned without starting response."
                )
                await self._make_do()
        finally:
            if self.task is not None:
                self._connection.tasks.discard(self.task)
                self.task = None  # whose frame holds this

    async def _make_do(self) -> None:
        if self.response_started or self.disconnected:
            self._transport.close()
        else:
            await self(_FAULT)
            await self({"type": "http.response.body", "body": b"Internal Server Error"})

    # The request.

    def feed(self, body: bytes) -> None:
        """Take a piece of the request's body, as the connection reads it."""
        if self._body:
            self._body = bytearray(self._body)
            self._body += body
        else:
            self._body = body
        if len(self._body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.news = True
        if self._waiting is not None:
            self.stir()

    def stir(self) -> None:
        """Let whoever waits to receive look again."""
        self.news = True
        if self._waiting is not None:
            self._waiting.set()
            self._waiting = None

    async def receive(self) -> Any:
        """Wait for the next message."""
        if self.waiting_for_100_continue and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not (self.disconnected or self.response_complete):
            if self.flow.read_paused:
                self.flow.resume_reading()
            if not self.news:
                self._waiting = waiting = self._waiting or Signal()
                await waiting.wait()
            self.news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def arrived(self) -> bytes | None:
        """Return the whole body, which is then received; None where `receive` has to wait for some of it.

        See `gateway.api.incoming`.
        """
        if self.more_body or not self.news or self.disconnected or self.flow.read_paused:
            return None
        self.news = False
        body, self._body = bytes(self._body), b""
        return body

    @property
    def left(self) -> bool | None:
        """Whether the client has gone; None while nothing is read from its socket, which `receive` changes."""
        return None if self.flow.read_paused else self.disconnected

    # The answer.

    def __call__(self, message: Any) -> Awaitable[None]:
        """Send one ASGI message; return what ASGI says to await, which is `DONE` when the message is on its way.

        Raises RuntimeError for a message that does not fit, as uvicorn does.
        """
        if self.disconnected:
            return DONE
        if self.flow.write_paused:
            return Later(functools.partial(self._drained, functools.partial(self, message)))
        kind = message["type"]
        if kind == "http.response.body" and self.response_started and not self.response_complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self._hold_head(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
        return DONE

    def piece(self, data: bytes) -> Awaitable[None]:
        """Send a piece of a body that goes on, as a message would: see `gateway.api.sending`."""
        if self._chunked and not (self._head or self.flow.write_paused or self.disconnected):
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return DONE
        return self({"type": "http.response.body", "body": data, "more_body": True})

    def whole(self, status: int, headers: RawHeaders, body: bytes) -> Awaitable[None]:
        """Send an answer and its length, as two messages would: see `gateway.api.sending`."""
        if self.disconnected:
            return DONE
        if self.flow.write_paused:
            sending = functools.partial(self.whole, status, headers, body)
            return Later(functools.partial(self._drained, sending))
        if self.response_started:
            raise RuntimeError("unexpected answer: there is one already")
        head = self._begin(status, headers, _LENGTH % len(body))
        self._transport.write(head if self.scope["method"] == "HEAD" else head + body)
        self._complete()
        return DONE

    async def _drained(self, send: Callable[[], Awaitable[None]]) -> None:
        await self.flow.drain()
        await send()

    def _hold_head(self, status: int, headers: RawHeaders) -> None:
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
                self._chunked = False
        own = ()
        if self._chunked is None and status not in NO_BODY and self.scope["method"] != "HEAD":
            self._chunked = True
            own = (_CHUNKED,)
        self._head = self._begin(status, headers, *own)

    def _begin(self, status: int, headers: RawHeaders, *own: bytes) -> bytes:
        """Begin the answer, and make its head; `own` are lines of the server's about the body."""
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [
            _STATUS[status],
            *map(_LINE, self._connection.server_state.default_headers),
            *map(_LINE, headers),
        ]
        said = b"".join(lines)
        if _CR in said or _LF in said or _NUL in said:
            raise RuntimeError("a header of the answer holds a character that HTTP does not allow")
        lines += own
        if said.find(b"connection: ") > 0 and _closes(headers):
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(_CLOSE)
        lines += _END
        return b"\r\n".join(lines)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._chunked:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        elif self.scope["method"] == "HEAD":
            body, self._left = b"", 0
        else:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("the answer is longer than its content-length")
        if self._head:
            body, self._head = self._head + body, b""
        self._transport.write(body)
        if not more:
            if self._left:
                raise RuntimeError("the answer is shorter than its content-length")
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        if self._waiting is not None:
            self.stir()
        if not self.keep_alive:
            self._transport.close()
        self._connection.on_response_complete()


def _closes(headers: RawHeaders) -> bool:
    return any(name == b"connection" and value.lower() == b"close" for name, value in headers)
