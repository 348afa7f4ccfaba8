"""`send` of ASGI, wrapped without standing in the way of what is streamed.

`gateway serve` offers more than ASGI: `send.whole` takes an answer, and `send.piece` a piece of a body, without messages
around them; `send.left` says whether the client has gone. Whoever wraps `send` to see all messages hides these by it, and
gets them all; who cares for the head alone hands them on.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from msgspec import Struct
from starlette.types import Message, Scope, Send

from gateway.push import Take
from gateway.types import RawHeaders

Whole: TypeAlias = Callable[[int, RawHeaders, bytes], Awaitable[None]]
"""Takes status, headers but for the length, and body of an answer."""


class OnHead(Struct, eq=False):
    """Base class of wrappers that change nothing but the head of an answer."""

    send: Send

    def __repr__(self) -> str:
        """Say what it is, and nothing of the request, whose headers hold credentials."""
        return f"<{type(self).__name__}>"

    def whole(self, status: int, headers: RawHeaders, body: bytes) -> Awaitable[None]:
        """Send an answer."""
        return whole_of(self.send)(status, self.head(headers), body)

    @property
    def piece(self) -> Take | None:
        """What takes a piece of a body without a message; None where nothing does."""
        return getattr(self.send, "piece", None)

    @property
    def left(self) -> bool | None:
        """Whether the client has gone; None where that cannot be told so."""
        return getattr(self.send, "left", None)

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send a message."""
        if message["type"] == "http.response.start":
            message["headers"] = self.head(message.get("headers", ()))
        return self.send(message)

    def head(self, headers: RawHeaders) -> RawHeaders:
        """Return the headers to send instead of these."""
        raise NotImplementedError


class Numbered(OnHead):
    """Adds the request's id, and notes in `scope["gateway.answering"]` that an answer has begun."""

    scope: Scope
    request_id: str

    def head(self, headers: RawHeaders) -> RawHeaders:
        """See the base class."""
        self.scope["gateway.answering"] = True
        return [*headers, (b"x-request-id", self.request_id.encode())]


class Renamed(OnHead):
    """Puts the headers of an answer into a dialect's own words."""

    rename: Callable[[RawHeaders, str], RawHeaders]
    request_id: str

    def head(self, headers: RawHeaders) -> RawHeaders:
        """See the base class."""
        return self.rename(headers, self.request_id)


def whole_of(send: Send) -> Whole:
    """What takes a whole answer, by whatever way there is."""
    own: Whole | None = getattr(send, "whole", None)
    return own or functools.partial(_in_messages, send)


async def _in_messages(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def piece_of(send: Send) -> Take:
    """What takes pieces of a body that goes on, by whatever way there is."""
    own: Take | None = getattr(send, "piece", None)
    return own or (lambda data: send(_message(data)))


def _message(data: bytes) -> Any:
    return {"type": "http.response.body", "body": data, "more_body": True}
