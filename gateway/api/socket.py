"""The way back over a WebSocket: a session's messages, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.types import Answer, RawHeaders, Session
from gateway.wire import Wire

log = logging.getLogger("gateway")

_DENIAL: Final = "websocket.http.response"
"""ASGI's extension for refusing with an answer instead of a bare 403."""
_DEADLINE_PASSED: Final = frozenset({"session_expired", "timeout"})


class SocketReply:
    """Answers one client's session.

    It is accepted once the provider has opened its side, so that whatever prevents that is told with an HTTP status;
    or earlier, where a dialect wants that. From then on, one task hands the client's messages on, each when the provider
    has room for it.
    """

    def __init__(
        self, wire: Wire, scope: Scope, receive: Receive, send: Send, *, subprotocol: str | None
    ) -> None:
        self._wire = wire
        self._can_deny = _DENIAL in scope.get("extensions", {})
        self._request_id = (b"x-request-id", scope["gateway.request_id"].encode())
        self._receive = receive
        self._send = send
        self._subprotocol = subprotocol
        self._session: Session | None = None
        self._left = asyncio.Event()
        self._begun = asyncio.Event()
        self._accepted = False
        self._closed = False
        self._writing = False
        self._broken = False
        self._refusal: GatewayError | None = None
        """Why a message was not handed on."""
        self._listener: asyncio.Task[None] | None = None
        self.started = False

    def listen(self) -> None:
        """Begin to take what the client sends."""
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    async def stop(self) -> None:
        """End listening."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    async def _listen(self) -> None:
        try:
            await self._hand_on()
        except GatewayError as refusal:
            refusal.request_id = self._request_id[1].decode()
            self._refusal = refusal
            if self._session is not None:
                await self._session.close()
        except Exception:
            # Of a provider's plugin: without an end, the session would go on with nobody listening.
            log.exception("a message could not be handed on, so its session ends")
            self._broken = True
            if self._session is not None:
                await self._session.close()

    async def _hand_on(self) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            await self._begun.wait()  # a client that was accepted early need not wait for the provider
            if self._session is not None:
                text: str | None = message.get("text")
                await self._session.send(message["bytes"] if text is None else text)
        self._closed = True
        self._left.set()
        if self._session is not None:
            await self._session.close()

    async def whole(self, answer: Answer) -> None:
        """Answer without a session, as an interceptor may."""
        await self._deny(answer.status, answer.headers, answer.body)

    async def accept(self, headers: RawHeaders) -> None:
        """Accept the client, unless it was accepted before."""
        if not self._accepted:
            self._accepted = True
            accept = {"type": "websocket.accept", "subprotocol": self._subprotocol}
            await self._emit({**accept, "headers": [*headers, self._request_id]})

    async def begin(self, answer: Answer) -> None:
        """Accept the client, whose messages are handed on from now on."""
        self.started = True
        self._session = answer.session
        if self._closed and self._session is not None:
            await self._session.close()
        self._begun.set()
        await self.accept(answer.headers)

    async def write(self, data: bytes) -> None:
        """Send one message; waits while the client is slow."""
        self._writing = True
        await self._emit(self._message(data))
        self._writing = False

    async def end(self) -> None:
        """Close, for the session is over."""
        if self._refusal is not None:
            await self.fail(self._refusal)
            return
        await self._close(1011 if self._broken else 1000, "")

    async def fail(self, error: GatewayError) -> None:
        """Refuse, or end a session that has begun with an error event."""
        if not self._accepted:
            headers = [(b"content-type", b"application/json"), *error.headers]
            await self._deny(error.status, headers, self._wire.error(error))
            return
        event = self._wire.error_event(error)
        if (
            event and not self._writing
        ):  # else it was broken off while it waited for a client that does not read
            await self.write(event)
        await self._close(*self._last_words(error))

    async def gone(self) -> None:
        """Wait until the client has gone before its session began; after that, it just ends one that did."""
        await self._left.wait()
        if self.started:
            await asyncio.get_running_loop().create_future()

    def left(self) -> None:
        """See `gone`."""

    def keep_alive(self, seconds: float) -> None:
        """Do nothing: the server sends pings."""

    def _message(self, data: bytes) -> Message:
        return {"type": "websocket.send", "text": data.decode()}

    def _last_words(self, error: GatewayError) -> tuple[int, str]:
        """Code and reason for closing."""
        return close_code(error), error.code or error.type

    async def _deny(self, status: int, headers: RawHeaders, body: bytes) -> None:
        self.started = True
        if self._accepted:
            await self._close(1011, "")
        elif self._can_deny:
            head = [*headers, (b"content-length", b"%d" % len(body)), self._request_id]
            await self._emit({"type": f"{_DENIAL}.start", "status": status, "headers": head})
            await self._emit({"type": f"{_DENIAL}.body", "body": body})
            self._closed = True
        else:
            await self._close(1008, "")

    async def _close(self, code: int, reason: str) -> None:
        await self._emit({"type": "websocket.close", "code": code, "reason": reason})
        self._closed = True

    async def _emit(self, message: Message) -> None:
        if not self._closed:
            with contextlib.suppress(OSError):  # the client has gone, which the listener hears, too
                await self._send(message)


def close_code(error: GatewayError) -> int:
    """Return the code to close with. https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number."""
    if error.code == "shutdown":
        return 1012
    if error.code in _DEADLINE_PASSED:
        return 1001
    return 1008 if error.status < 500 else 1011  # noqa: PLR2004 - from there on it is not the client's fault
