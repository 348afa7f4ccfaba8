"""A response: its head, and the buffer between the socket and whoever reads the body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from gateway.push import DONE, Take
from gateway.upstream.errors import BodyTooLarge, ConnectionLost, UpstreamError


class Source(Protocol):
    """The connection, as its response sees it."""

    peer: str
    paused: bool
    max_body_bytes: int

    def resume(self) -> None:
        """Read on from the socket."""
        ...

    def fail(self, error: UpstreamError) -> None:
        """End the exchange with this error and drop the connection."""
        ...


class Response:
    """A response whose head is there. Read the body with `read`, `push` or by iterating, once, in one task.

    A body that does not end as its head promised raises `ConnectionLost` or `MalformedResponse`, after all the
    chunks that did come. Call `close` when the body is not read to its end; cancelling a task that waits for the
    body closes it too.
    """

    __slots__ = (
        "_chunks",
        "_open",
        "_source",
        "buffered",
        "collecting",
        "error",
        "flows",
        "headers",
        "status",
        "waiter",
    )

    def __init__(self, source: Source, waiter: asyncio.Future[Awaitable[None]] | None = None) -> None:
        self.status = 0
        """0 until the head is there, so never 0 in a response that `Client.send` returned."""
        self.headers: list[tuple[bytes, bytes]] = []
        """Names in lower case, in order, repeated ones kept apart."""
        self.buffered = 0
        """Bytes that came and were not read yet."""
        self.collecting = False
        """Somebody waits for the whole body, so that there is nobody to wake for a part of it."""
        self.flows: Take | None = None
        """Takes what comes as it comes, so that there is nobody to wake for it."""
        self.error: UpstreamError | None = None
        """What ended the exchange early."""
        self.waiter = waiter
        """Done when the head, content or the end has come; cancelling it must close the response."""
        self._chunks: list[bytes] = []
        self._source = source
        self._open = True

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, given by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    async def read(self) -> bytes:
        """Return the body, or what iterating has left of it.

        Raises `BodyTooLarge` above `Limits.max_body_bytes`, and whatever ended the body early.
        """
        source = self._source
        if self._open:
            length = self.header(b"content-length")
            if length is not None and int(length) > source.max_body_bytes:
                source.fail(too_large(source))
            self.collecting = True
            if source.paused:
                source.resume()
            try:
                while self._open:
                    await self.changed()
            except asyncio.CancelledError:
                self.close()
                raise
        if self.error is None and self.buffered > source.max_body_bytes:
            self.error = too_large(source)
        if self.error is not None:
            raise self.error
        return self._buffer()

    def whole(self) -> bytes | None:
        """Return the body where all of it is there already; None where `read` must wait for it or say what is wrong."""
        if self._open or self.error is not None or self.buffered > self._source.max_body_bytes:
            return None
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if not self._open:
                if self.error is not None:
                    raise self.error
                raise StopAsyncIteration
            try:
                await self.changed()
            except asyncio.CancelledError:
                self.close()
                raise
        if self._open and self._source.paused:
            self._source.resume()
        return self._buffer()

    async def push(self, take: Take) -> None:
        """Give what is left of the body to `take`, straight from the socket's callback while `take` keeps up.

        What comes while that is waited for which `take` returned is kept, as for one who iterates. Raises what ended the
        body early, and what `take` raises.
        """
        waiting: Awaitable[None]
        while True:
            if self._chunks:
                if self._open and self._source.paused:
                    self._source.resume()
                waiting = take(self._buffer())
            elif self._open:
                self.flows = take
                try:
                    waiting = await self.changed()
                except asyncio.CancelledError:
                    self.close()
                    raise
                finally:
                    self.flows = None
            elif self.error is not None:
                raise self.error
            else:
                return
            if waiting is not DONE:
                await waiting

    def close(self) -> None:
        """Let go of the connection; it is dropped when the body has not ended. May be called repeatedly."""
        if self._open or self._chunks:
            error = ConnectionLost(f"the response of {self._source.peer} was closed before it was read")
            if self._open:
                self._source.fail(error)
            self.error = self.error or error
        self._chunks.clear()
        self.buffered = 0

    def _buffer(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        return data

    # From here on: the connection's side.

    def changed(self) -> asyncio.Future[Awaitable[None]]:
        """Return what is done when more content or the end has come; cancelling it must close the response."""
        if self.waiter is not None:
            raise RuntimeError("two tasks read one response")
        waiter = self.waiter = asyncio.get_running_loop().create_future()
        return waiter

    def wake(self, waiting: Awaitable[None] = DONE) -> None:
        """Let whoever waits go on, and first wait for this."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(waiting)

    def feed(self, data: bytes) -> None:
        """Take content over: hand it on when somebody takes it at once, else keep it, without waking anybody."""
        take, waiter = self.flows, self.waiter
        if take is None or waiter is None or waiter.done():
            self._chunks.append(data)
            self.buffered += len(data)
            return
        try:
            waiting = take(data)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever pushes
            self.flows = None
            waiter.set_exception(error)
        else:
            if waiting is not DONE:
                self.flows = None
                self.wake(waiting)

    def end(self, error: UpstreamError | None = None) -> None:
        """Nothing more will come, because of the error or because that was all."""
        self._open = False
        self.error = error
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(DONE)


def too_large(source: Source) -> BodyTooLarge:
    """Return the error for a body that was to be read whole and is too large for that."""
    return BodyTooLarge(f"{source.peer} answered with more than {source.max_body_bytes} bytes")
