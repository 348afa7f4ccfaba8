"""Puts receipts into answers: in a header, or in the last comment of an event stream."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.types import Call, Outcome

log = logging.getLogger("gateway.plugin.service.receipts")

HEADER: Final = b"x-gateway-receipt"
ALL: Final = "*"

Issue = Callable[[str], Awaitable[str]]


class Desk:
    """The requests of one worker that may get a receipt, by their ids."""

    def __init__(self, issue: Issue, tenants: Collection[str]) -> None:
        self._issue = issue
        self._tenants = frozenset(tenants)
        self._waiting: dict[str, _Waiting] = {}

    @property
    def asks_all(self) -> bool:
        """Whether also requests may get one that do not ask for it."""
        return bool(self._tenants)

    def wants(self, call: Call) -> bool:
        """Whether a call is to have a receipt: its request asks for one, or its tenant gets them always."""
        waiting = self._waiting.get(call.request_id)
        asked = waiting is not None and waiting.asked
        return asked or ALL in self._tenants or call.principal.tenant in self._tenants

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Note which call a request made, once it is settled."""
        waiting = self._waiting.get(call.request_id)
        if waiting is not None and outcome.status == "success" and self.wants(call):
            waiting.call = call.id

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, asked: bool) -> None:
        """Serve a request that may get a receipt."""
        request: str = scope["gateway.request_id"]
        waiting = self._waiting[request] = _Waiting(self._issue, send, asked=asked)
        try:
            await app(scope, receive, waiting.send)
        finally:
            del self._waiting[request]


class Gate:
    """Stands around the application; who does not ask for a receipt does not notice."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] == "POST":
            asked = (HEADER, b"1") in scope["headers"]
            if asked or self._desk.asks_all:
                return self._desk.serve(self._app, scope, receive, send, asked=asked)
        return self._app(scope, receive, send)


class _Waiting:
    """A request on its way. Its call is settled before a whole answer begins, and before a stream ends."""

    def __init__(self, issue: Issue, send: Send, *, asked: bool) -> None:
        self._issue = issue
        self._send = send
        self._streams = False
        self.asked = asked
        self.call: str | None = None

    async def send(self, message: Message) -> None:
        """Hand on what the application sends, with the receipt where its place is."""
        if message["type"] == "http.response.start":
            if self.call is not None:
                receipt = await self._receipt(self.call)
                extra = [(HEADER, receipt.encode())] if receipt else []
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            else:
                kinds = [value for name, value in message.get("headers", ()) if name == b"content-type"]
                self._streams = any(kind.startswith(b"text/event-stream") for kind in kinds)
        elif self._streams and self.call is not None and not message.get("more_body", False):
            receipt = await self._receipt(self.call)
            if receipt:
                message = {
                    **message,
                    "body": message.get("body", b"") + f": gateway-receipt {receipt}\n\n".encode(),
                }
        await self._send(message)

    async def _receipt(self, call: str) -> str | None:
        try:
            return await self._issue(call)
        except Exception:  # an answer that was made, and paid for, is given even so
            log.exception("%s: no receipt could be given", call)
            return None
