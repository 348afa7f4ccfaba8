"""A request on its way in, read from ASGI messages without a request object."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.types import Receive, Scope

from gateway.errors import ClientGone, InvalidRequest
from gateway.types import RawHeaders

if TYPE_CHECKING:
    from gateway.api.access import Admitted

_DIGITS = 18
"""Of a length; what is longer is too long, and no number for Python to read."""


class HttpIncoming:
    """The request head as ASGI gave it, and its body on demand."""

    __slots__ = (
        "_body",
        "_max_body",
        "_receive",
        "_scope",
        "admitted",
        "client",
        "headers",
        "method",
        "path",
    )

    def __init__(self, scope: Scope, receive: Receive, max_body: int) -> None:
        self._receive = receive
        self._scope = scope
        self._max_body = max_body
        self._body: bytes | None = scope.get("gateway.body")  # which authenticating may have read already
        self.method: str = scope["method"]
        root = scope.get("root_path")
        self.path: str = scope["path"].removeprefix(root) if root else scope["path"]
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        peer = scope.get("client")
        self.client: str | None = peer[0] if peer else None
        self.admitted: Admitted | None = scope.get("gateway.admitted")

    @property
    def header_list(self) -> RawHeaders:
        """All headers, in order."""
        return self._scope["headers"]

    @property
    def target(self) -> bytes:
        """Path and query as they were sent."""
        return target_of(self._scope)

    def ready(self) -> bytes | None:
        """Return the whole body where it need not be waited for, else None. Raises `InvalidRequest` as `body` does.

        `gateway serve` says so: the object whose method its `receive` is has another, `arrived`. Whoever wraps
        `receive` to see or change the body hides that by it, and is asked for the body.
        """
        if self._body is None:
            arrived = getattr(getattr(self._receive, "__self__", None), "arrived", None)
            if arrived is not None and (body := arrived()) is not None:
                return self._keep(body)
        return self._body

    async def body(self) -> bytes:
        """Read the whole body, once. Raises `InvalidRequest` (413) beyond the limit, `ClientGone` when it breaks off."""
        body = self.ready()
        if body is not None:
            return body
        length = self.headers.get(b"content-length", b"")[:_DIGITS]
        if 10 ** len(length) > self._max_body and length.isdigit() and int(length) > self._max_body:
            raise self._too_large()  # most have too few digits to be read for that
        parts = io.BytesIO()  # in the end it gives its own memory away: a large body is never held twice
        message = await self._receive()
        while message["type"] == "http.request":
            piece = message.get("body", b"")
            if not (parts.tell() or message.get("more_body", False)):
                return self._keep(piece)
            if parts.tell() + len(piece) > self._max_body:
                raise self._too_large()
            parts.write(piece)
            if not message.get("more_body", False):
                return self._keep(parts.getvalue())
            message = await self._receive()
        raise ClientGone("The client closed the connection before it had sent the whole request.")

    def _keep(self, body: bytes) -> bytes:
        if len(body) > self._max_body:
            raise self._too_large()
        self._body = self._scope["gateway.body"] = body
        return body

    def replace_body(self, body: bytes) -> None:
        """Have this read from now on instead of what was sent."""
        self._body = self._scope["gateway.body"] = body

    def _too_large(self) -> InvalidRequest:
        return InvalidRequest(
            f"The request body is larger than the {self._max_body} bytes allowed.",
            status=413,
            code="request_too_large",
            headers=[(b"connection", b"close")],
        )


def target_of(scope: Scope) -> bytes:
    """Path and query of a request, as they were sent."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    path = path.partition(b"?")[0]
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path
