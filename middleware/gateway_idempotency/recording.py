"""An answer as it goes to the client, kept piece by piece, for others to be sent the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from starlette.types import Message, Send

    from gateway.types import RawHeaders

REPLAYED: Final = (b"idempotent-replayed", b"true")
"""The header by which a client tells a repeated answer from the first one."""


class _Kept(Struct, array_like=True, frozen=True):
    headers: list[tuple[bytes, bytes]]
    pieces: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Recording:
    """One answer, while it is made and after. `most` is how many bytes of body it may have."""

    def __init__(self, most: int) -> None:
        self.status = 0
        """0 before its head is there."""
        self.ended = False
        self.whole = False
        """Whether it came to its end, and was not cut off."""
        self.too_large = False
        self._most = most
        self._headers: RawHeaders = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._changed = asyncio.Event()

    def note(self, message: Message) -> None:
        """Take in an ASGI message on its way to the client."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = list(message.get("headers", ()))
        elif (piece := message.get("body", b"")) and not self.too_large:
            self._size += len(piece)
            self._pieces.append(piece)
            if self._size > self._most:
                self.too_large = True
                self._pieces.clear()
        self._changed.set()

    def end(self, *, whole: bool) -> None:
        """Note that nothing follows."""
        self.ended, self.whole = True, whole
        self._changed.set()

    def encoded(self) -> bytes:
        """Give headers and body as they are stored."""
        return _encode(_Kept(self._headers, self._pieces))

    def fill(self, status: int, stored: bytes) -> None:
        """Become an answer that was stored."""
        kept = _decode(stored)
        self.status, self._headers, self._pieces = status, kept.headers, kept.pieces
        self.end(whole=True)

    async def follow(self, send: Send) -> bool:
        """Send all of it, as it comes; False, with nothing sent, when it has come to nothing.

        Of an answer that is cut off no end is sent. Raises `InvalidRequest` when it is too large to be kept.
        """
        while not (self._pieces or self.too_large or self.ended):
            await self._change()
        if self.too_large:
            raise too_large(self._most)
        if not (self._pieces or self.whole):
            return False
        headers = [*self._headers, REPLAYED]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        sent = 0
        while True:
            while sent < len(self._pieces):
                await send({"type": "http.response.body", "body": self._pieces[sent], "more_body": True})
                sent += 1
            if self.ended or self.too_large:
                break
            await self._change()
        if self.whole and not self.too_large:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    async def _change(self) -> None:
        # All who wait are woken by one `set`, before any of them clears it.
        self._changed.clear()
        await self._changed.wait()


def too_large(most: int) -> InvalidRequest:
    """Refuse a repetition of what was answered with more than can be kept."""
    return InvalidRequest(
        f"The request with this Idempotency-Key was answered with more than the {most} bytes that are kept, so the "
        "answer cannot be given again. Use a new key to make the request anew.",
        status=410,
        code="idempotency_answer_too_large",
    )
