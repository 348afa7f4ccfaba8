"""`/v1/realtime`: sessions of OpenAI's Realtime API. https://platform.openai.com/docs/guides/realtime-websocket."""

from __future__ import annotations

from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.api.call import new_call
from gateway.api.sessions import Sessions, SocketIncoming
from gateway.api.socket import SocketReply
from gateway.errors import GatewayError
from gateway.types import Call
from gateway.wire import REALTIME, WIRES, Given

PATHS: Final = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")
"""OpenAI's, and the two of its SDK for Azure."""
_FORWARDED: Final = (b"openai-beta", b"openai-safety-identifier")


class RealtimeEndpoint:
    """Makes a call of each session, which is accepted once the provider has opened its own."""

    def __init__(self, sessions: Sessions) -> None:
        self._wire = WIRES[REALTIME]
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one session."""
        subprotocol = "realtime" if "realtime" in scope.get("subprotocols", ()) else None
        reply = SocketReply(self._wire, scope, receive, send, subprotocol=subprotocol)
        await receive()  # that the client wants to connect
        try:
            call = await self._call(scope)
        except GatewayError as error:
            error.request_id = scope["gateway.request_id"]
            await reply.fail(error)
            return
        await self._sessions.run(call, reply)

    async def _call(self, scope: Scope) -> Call:
        incoming = SocketIncoming(scope)
        principal = await self._sessions.caller(incoming)
        given = Given(model=incoming.model())
        headers = incoming.headers
        return new_call(self._wire, scope, headers, principal, body=b"", given=given, forwarded=_FORWARDED)
