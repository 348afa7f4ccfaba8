"""The way back over HTTP: ASGI messages in the client's dialect."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable

from starlette.types import Message, Receive, Send

from gateway.api.sending import piece_of, whole_of
from gateway.errors import GatewayError
from gateway.push import DONE, Later
from gateway.types import Answer, RawHeaders
from gateway.wire import Wire

STREAM_HEADERS: RawHeaders = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

MEDIA = (b"audio/", b"video/", b"image/", b"application/octet-stream")
"""Content types of a stream that is no events: it is sent as what it is."""


class HttpReply:
    """Answers one HTTP request. Everything of a stream goes out at once, event by event."""

    __slots__ = (
        "_closed",
        "_last_sent",
        "_piece",
        "_prompt",
        "_pulse",
        "_receive",
        "_send",
        "_stirred",
        "_streams",
        "_wire",
        "_writing",
        "started",
    )

    def __init__(self, wire: Wire, receive: Receive, send: Send) -> None:
        self._wire = wire
        self._receive = receive
        self._send = send
        self._closed = False
        self._prompt = False
        self._streams = False
        self._writing = False
        self._stirred = False
        self._last_sent = time.monotonic()
        self._pulse: asyncio.Task[None] | None = None
        self.started = False

    def whole(self, answer: Answer) -> Awaitable[None]:
        """Send an answer that is not streamed."""
        return self._whole(answer.status, answer.headers, answer.body)

    async def begin(self, answer: Answer) -> None:
        """Send the head of a stream, unless a sign of life has done so."""
        if not self.started:
            if any(name == b"content-type" and kind.startswith(MEDIA) for name, kind in answer.headers):
                await self._begin([*STREAM_HEADERS[1:], *answer.headers])
                self._streams = False  # in these there is no place for an error: they are only cut
                return
            extra = [header for header in answer.headers if header[0] != b"content-type"]
            answer.headers = []  # a stream may be open for long
            await self._begin([*STREAM_HEADERS, *extra])

    def write(self, data: bytes) -> Awaitable[None]:
        """Send whole events: at once where the server does so, else when what this returns is awaited."""
        if self._closed:
            return DONE
        if not self._prompt or self._pulse is not None:
            return Later(functools.partial(self._write, data))
        self._stirred = True
        sending = self._piece(data)
        return DONE if sending is DONE else Later(functools.partial(self._sent, sending))

    async def _write(self, data: bytes) -> None:
        if self._pulse is not None:
            await self._pulse
        await self._sent(self._piece(data))

    async def _sent(self, sending: Awaitable[None]) -> None:
        """Wait for the server, which waits while the client is slow."""
        self._writing = True
        try:
            await sending
        except OSError:
            self._closed = True
        self._writing = False
        self._stirred = True

    async def end(self) -> None:
        """End a stream cleanly."""
        if not self._closed:
            if self._pulse is not None:
                await self._pulse
            await self._emit({"type": "http.response.body", "body": b"", "more_body": False})
            self._closed = True

    async def fail(self, error: GatewayError) -> None:
        """Send an error. A stream that has begun gets it as an event and is then cut, for an end would look like success."""
        if self._closed or error.status == 499:  # noqa: PLR2004 - nobody is there to read it
            return
        if self._writing:  # broken off while it waited for a client that does not read
            self._closed = True
            return
        if self._pulse is not None:
            await self._pulse
        if not self.started:
            headers = [(b"content-type", b"application/json"), *error.headers]
            await self._whole(error.status, headers, self._wire.error(error))
        elif self._streams:
            await self.write(self._wire.error_event(error))
            self._closed = True

    async def gone(self) -> None:
        """Wait until the client has gone; the body was read before, so nothing else can come."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._closed = True

    def left(self) -> bool | None:
        """Whether the client has gone, where the server says so without being waited for."""
        return getattr(self._send, "left", None)

    def keep_alive(self, seconds: float) -> None:
        """Send a sign of life when nothing was sent for so many seconds and nothing is being sent now."""
        now = time.monotonic()
        if self._stirred:
            self._stirred, self._last_sent = False, now
        elif (
            now - self._last_sent >= seconds
            and self._wire.keep_alive
            and not (self._closed or self._writing or self._pulse)
        ):
            self._pulse = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        try:
            if not self.started:
                await self._begin(STREAM_HEADERS)
            await self._emit({"type": "http.response.body", "body": self._wire.keep_alive, "more_body": True})
            self._last_sent = time.monotonic()
        finally:
            self._pulse = None

    async def _begin(self, headers: RawHeaders) -> None:
        self._streams = True
        await self._start(200, headers)

    async def _start(self, status: int, headers: RawHeaders) -> None:
        self.started = True
        self._piece = piece_of(self._send)
        await self._emit({"type": "http.response.start", "status": status, "headers": headers})

    def _whole(self, status: int, headers: RawHeaders, body: bytes) -> Awaitable[None]:
        self.started = self._closed = True  # nothing is to follow
        sending = whole_of(self._send)(status, headers, body)
        return DONE if sending is DONE else Later(functools.partial(_unless_gone, sending))

    async def _emit(self, message: Message) -> None:
        if not self._closed:
            try:
                sending = self._send(message)
                # `gateway serve` sends as soon as it is told; so the next may go so too.
                self._prompt = sending is DONE
                await sending
            except OSError:  # how ASGI 2.4 servers say that the client has gone
                self._closed = True


async def _unless_gone(sending: Awaitable[None]) -> None:
    with contextlib.suppress(OSError):
        await sending
