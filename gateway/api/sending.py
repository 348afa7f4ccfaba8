"""`send` of ASGI, wrapped without standing in the way of what is streamed.

`gateway serve` offers `send.piece`, which takes a piece of a body without a message around it. Whoever wraps `send` to see
all messages hides that by it, and gets them all; who cares for the head alone hands `piece` on. `send.left` says whether
the client has gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message, Scope, Send

from gateway.push import Take
from gateway.types import RawHeaders


class OnHead:
    """Base class of wrappers that change nothing but the head of an answer."""

    __slots__ = ("_send", "piece")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.piece: Take | None = getattr(send, "piece", None)

    @property
    def left(self) -> bool | None:
        """Whether the client has gone; None where that cannot be told so."""
        return getattr(self._send, "left", None)

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send a message."""
        if message["type"] == "http.response.start":
            message["headers"] = self.head([*message.get("headers", ())])
        return self._send(message)

    def head(self, headers: RawHeaders) -> RawHeaders:
        """Return the headers to send instead of these, which may be changed."""
        raise NotImplementedError


class Numbered(OnHead):
    """Adds the request's id, and notes in `scope["gateway.answering"]` that an answer has begun."""

    __slots__ = ("_header", "_scope")

    def __init__(self, send: Send, scope: Scope, request_id: str) -> None:
        super().__init__(send)
        self._scope = scope
        self._header = (b"x-request-id", request_id.encode())

    def head(self, headers: RawHeaders) -> RawHeaders:
        """See the base class."""
        self._scope["gateway.answering"] = True
        headers.append(self._header)
        return headers


class Renamed(OnHead):
    """Puts the headers of an answer into a dialect's own words."""

    __slots__ = ("_rename", "_request_id")

    def __init__(self, send: Send, rename: Callable[[RawHeaders, str], RawHeaders], request_id: str) -> None:
        super().__init__(send)
        self._rename = rename
        self._request_id = request_id

    def head(self, headers: RawHeaders) -> RawHeaders:
        """See the base class."""
        return self._rename(headers, self._request_id)


def piece_of(send: Send) -> Take:
    """What takes pieces of a body that goes on, by whatever way there is."""
    own: Take | None = getattr(send, "piece", None)
    return own or (lambda data: send(_message(data)))


def _message(data: bytes) -> Any:
    return {"type": "http.response.body", "body": data, "more_body": True}
