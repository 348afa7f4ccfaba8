"""One connection: carries one exchange after the other."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable
from typing import Protocol, cast

from gateway.upstream.errors import (
    ConnectionLost,
    FirstByteTimeout,
    IdleTimeout,
    MalformedResponse,
    TotalTimeout,
    UpstreamError,
)
from gateway.upstream.limits import Limits, Timeouts
from gateway.upstream.reader import REFUSED, Reader
from gateway.upstream.response import Response, too_large

SLICE = 64 * 1024
"""Bytes of a request body written before asking whether the socket keeps up."""


class Owner(Protocol):
    """The pool, as its connections see it."""

    def opened(self, connection: Connection) -> None:
        """The socket is in use, and `closed` will follow."""
        ...

    def closed(self, connection: Connection) -> None:
        """The socket is closed."""
        ...

    def release(self, connection: Connection) -> None:
        """The exchange is over, and the connection is good for another."""
        ...

    def forget(self, connection: Connection) -> None:
        """The connection is not usable any more; called once."""
        ...


class Connection(asyncio.Protocol):
    """A socket to an origin or a proxy. Its owner sees to it that exchanges do not overlap."""

    __slots__ = (
        "_began",
        "_drained",
        "_owner",
        "_poll",
        "_quiet_since",
        "_read_ahead",
        "_reader",
        "_response",
        "_stirred",
        "_timeouts",
        "_transport",
        "_used",
        "_writing",
        "idle_since",
        "live",
        "max_body_bytes",
        "paused",
        "peer",
    )

    _transport: asyncio.Transport
    _timeouts: Timeouts

    def __init__(self, owner: Owner, peer: str, limits: Limits) -> None:
        self.peer = peer
        """`host:port` of the origin, for messages."""
        self.live = False
        """Counted by the owner: true from `adopt` to `drop`."""
        self.paused = False
        """The socket is not being read, because the consumer is slow."""
        self.idle_since = 0.0
        """Loop time since which the connection carries nothing; 0 while it is not in the pool."""
        self.max_body_bytes = limits.max_body_bytes
        self._read_ahead = limits.read_ahead_bytes
        self._owner = owner
        self._reader = Reader(limits.max_head_bytes)
        self._response: Response | None = None
        self._began = self._quiet_since = 0.0
        self._stirred = False
        self._used = False
        self._writing = False
        self._drained: asyncio.Future[None] | None = None
        self._poll: select.poll | None = None

    # The owner's side.

    def adopt(self) -> bool:
        """Take the fresh connection into use; False when it is closed already.

        Only from here on does the owner count on `connection_lost`: uvloop does not call it for a connection whose
        `create_connection` was cancelled after `connection_made`.
        """
        self.live = not self._transport.is_closing()
        if self.live:
            self._owner.opened(self)
        return self.live

    def is_silent(self) -> bool:
        """Ask the kernel whether the peer has closed an idle connection, or sent what nobody asked for."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def begin(
        self,
        request: bytes,
        timeouts: Timeouts,
        now: float,
        waiter: asyncio.Future[Awaitable[None]] | None = None,
        *,
        is_head: bool = False,
    ) -> Response:
        """Start an exchange and write the request, or the head of it; `waiter` is done when the answer's head is there."""
        response = self._response = Response(self, waiter)
        self._reader.begin(response, is_head=is_head)
        self._timeouts = timeouts
        self._began = now
        self._transport.write(request)
        return response

    async def write_long(self, body: bytes, response: Response) -> None:
        """Write a long body in slices, waiting whenever the socket is full.

        Stops when the exchange ends or an error status comes before all is written; such a connection is not
        used again.
        """
        self._writing = True
        view = memoryview(body)
        for start in range(0, len(view), SLICE):
            if self._drained is not None:
                await self._drained
            if self._response is not response or response.status >= 400:  # noqa: PLR2004 - RFC 9110 §15.5
                return
            self._transport.write(view[start : start + SLICE])
        self._writing = False

    def drop(self) -> None:
        """Close the socket and leave the pool."""
        if self.live:
            self.live = False
            self._owner.forget(self)
        self._transport.abort()
        self.resume_writing()

    def check(self, now: float) -> None:
        """Fail the exchange when it has run out of time."""
        response = self._response
        if response is None:
            return
        timeouts = self._timeouts
        elapsed = now - self._began
        if elapsed >= timeouts.total:
            self.fail(TotalTimeout(f"{self.peer} did not finish its answer in {timeouts.total:g} s"))
        elif response.status == 0:
            if elapsed >= timeouts.first_byte:
                self.fail(
                    FirstByteTimeout(f"{self.peer} did not begin to answer in {timeouts.first_byte:g} s")
                )
        elif self._stirred or self.paused:
            self._stirred = False
            self._quiet_since = now
        elif now - self._quiet_since >= timeouts.idle:
            self.fail(IdleTimeout(f"{self.peer} sent nothing for {timeouts.idle:g} s within an answer"))

    # The response's side.

    def resume(self) -> None:
        self.paused = False
        self._transport.resume_reading()

    def fail(self, error: UpstreamError) -> None:
        response = self._response
        self._response = None
        self.drop()
        if response is not None:
            response.end(error)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # bytes that nobody asked for
            self.drop()
            return
        self._stirred = True
        reader = self._reader
        reader.without_content += len(data)
        problem: str | None = None
        try:
            reader.parse(data)
        except REFUSED as error:
            problem = reader.fault(error)
        pieces = reader.pieces
        if pieces:
            reader.without_content = 0
            response.feed(pieces.pop() if len(pieces) == 1 else b"".join(pieces))
            pieces.clear()
        elif reader.without_content > reader.limit and not (problem or reader.complete):
            problem = reader.excess()
        if problem is not None:
            self.fail(MalformedResponse(f"{self.peer} sent a malformed response: {problem}"))
        elif reader.complete:
            self._response = None
            response.end()
            if not reader.reusable or self._writing:
                self.drop()
                return
            if self.paused:
                self.resume()
            self._used = True
            self._owner.release(self)
        elif response.flows is None and response.status:
            self._proceed(response)

    def _proceed(self, response: Response) -> None:
        if response.collecting:
            if response.buffered > self.max_body_bytes:
                self.fail(too_large(self))
            return
        response.wake()
        if response.buffered > self._read_ahead and not self.paused:
            self.paused = True
            self._transport.pause_reading()
        if self._writing and response.status >= 400:  # noqa: PLR2004
            self.resume_writing()

    def eof_received(self) -> None:
        if self._response is None:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.closed(self)
        reader = self._reader
        response = self._response
        if response is None:
            self.drop()
        elif reader.until_close and exc is None:
            self._response = None
            self.drop()
            response.end()
        elif response.status:
            self.fail(ConnectionLost(f"{self.peer} closed the connection in the middle of its answer"))
        else:
            self.fail(
                ConnectionLost(
                    f"{self.peer} closed the connection without an answer",
                    unanswered=self._used and reader.untouched,
                )
            )
        # The reader knows the last response, and that knows this connection.
        reader.close()
        del self._reader

    def pause_writing(self) -> None:
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        drained = self._drained
        self._drained = None
        if drained is not None and not drained.done():
            drained.set_result(None)
