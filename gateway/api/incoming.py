"""A request on its way in, read from ASGI messages without a request object."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive, Scope

from gateway.errors import ClientGone, InvalidRequest


class HttpIncoming:
    """The request head as ASGI gave it, and its body on demand."""

    __slots__ = ("_body", "_max_body", "_receive", "client", "headers", "method", "path")

    def __init__(self, scope: Scope, receive: Receive, max_body: int) -> None:
        self._receive = receive
        self._max_body = max_body
        self._body: bytes | None = None
        self.method: str = scope["method"]
        self.path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        peer = scope.get("client")
        self.client: str | None = peer[0] if peer else None

    async def body(self) -> bytes:
        """Read the whole body, once. Raises `InvalidRequest` (413) beyond the limit, `ClientGone` when it breaks off."""
        if self._body is not None:
            return self._body
        length = self.headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._max_body:
            raise self._too_large()
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            if len(body) > self._max_body:
                raise self._too_large()
            self._body = body
            return body
        parts: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body:
                raise self._too_large()
            if not message.get("more_body", False):
                self._body = b"".join(parts)
                return self._body
            message = await self._receive()
        raise ClientGone("The client closed the connection before it had sent the whole request.")

    def _too_large(self) -> InvalidRequest:
        return InvalidRequest(
            f"The request body is larger than the {self._max_body} bytes allowed.",
            status=413,
            code="request_too_large",
            headers=[(b"connection", b"close")],
        )
