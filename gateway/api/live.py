"""Sessions of Gemini's Live API: opened like OpenAI's, but the first message names the model. https://ai.google.dev/api/live."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from gateway.api.call import new_call
from gateway.api.gemini import take_key
from gateway.api.sessions import Sessions, SocketIncoming
from gateway.api.socket import SocketReply, close_code
from gateway.errors import ClientGone, GatewayError, InvalidRequest
from gateway.types import Call, Principal
from gateway.wire import LIVE, WIRES, Given
from gateway.wire.gemini_live import VERSION_HEADER, VERSIONS, live_path

PATHS: Final = {live_path(version): version for version in VERSIONS}
SETUP_SECONDS: Final = 30.0
"""How long a client may take to send its setup."""
REFUSED_SECONDS: Final = 5.0
"""The same for one who may not call, and is to hear of it."""
_MOST_REASON: Final = 123
"""Bytes of the reason for closing, as RFC 6455 limits them."""
_INVALID: Final = frozenset({400, 413, 422})
_EXHAUSTED: Final = 429


class LiveReply(SocketReply):
    """Answers as Google does: messages are binary, and an error is how the session is closed."""

    async def setup(self, most: int, seconds: float) -> bytes:
        """Accept the client, and return its first message.

        Raises `InvalidRequest` for one of more than so many bytes or that does not come, `ClientGone`.
        """
        await self.accept([])
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise InvalidRequest(
                f"No setup came within {seconds:g} seconds.", status=408, code="timeout"
            ) from None
        if message["type"] == "websocket.disconnect":
            raise ClientGone("The client closed the connection before its session began.")
        text: str | None = message.get("text")
        body: bytes = message["bytes"] if text is None else text.encode()
        if len(body) > most:
            raise InvalidRequest(
                f"The setup is larger than the {most} bytes allowed.", status=413, code="request_too_large"
            )
        return body

    def _message(self, data: bytes) -> Message:
        return {"type": "websocket.send", "bytes": data}

    def _last_words(self, error: GatewayError) -> tuple[int, str]:
        reason = error.message.encode()[:_MOST_REASON].decode(errors="ignore")
        if error.status in _INVALID:
            return 1007, reason
        return (1011 if error.status == _EXHAUSTED else close_code(error)), reason


class LiveEndpoint:
    """Makes a call of each session. Clients are accepted first, for only then do they say what they want."""

    def __init__(self, sessions: Sessions, *, max_body: int) -> None:
        self._wire = WIRES[LIVE]
        self._sessions = sessions
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one session."""
        reply = LiveReply(self._wire, scope, receive, send, subprotocol=None)
        await receive()  # that the client wants to connect
        take_key(scope)
        incoming = SocketIncoming(scope)
        try:
            call = await self._call(scope, incoming, await self._caller(incoming), reply)
        except ClientGone:
            return
        except GatewayError as error:
            error.request_id = scope["gateway.request_id"]
            await reply.fail(error)
            return
        await self._sessions.run(call, reply)

    async def _caller(self, incoming: SocketIncoming) -> Principal | GatewayError:
        """Find out who it is, or why not: clients hear of that only once they have sent their setup."""
        try:
            return await self._sessions.caller(incoming)
        except GatewayError as refusal:
            return refusal

    async def _call(
        self, scope: Scope, incoming: SocketIncoming, caller: Principal | GatewayError, reply: LiveReply
    ) -> Call:
        if isinstance(caller, GatewayError):
            with contextlib.suppress(InvalidRequest):
                await reply.setup(self._max_body, REFUSED_SECONDS)
            raise caller
        body = await reply.setup(self._max_body, SETUP_SECONDS)
        headers = {**incoming.headers, VERSION_HEADER: PATHS[incoming.path].encode()}
        return new_call(
            self._wire, scope, headers, caller, body=body, given=Given(), forwarded=(VERSION_HEADER,)
        )
