"""`/v1/realtime`: sessions over WebSockets, authenticated, limited and metered like every other call.

https://platform.openai.com/docs/guides/realtime-websocket
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway.api.access import ANYONE, Access, Admitted
from gateway.api.call import CLIENT_ID_LENGTH
from gateway.api.incoming import target_of
from gateway.api.lifecycle import Lifecycle
from gateway.api.socket import SocketReply
from gateway.errors import GatewayError, InvalidRequest, PermissionDenied
from gateway.pipeline import Pipeline
from gateway.types import Call, RawHeaders
from gateway.wire import REALTIME, WIRES, Given

PATHS: Final = ("/v1/realtime", "/openai/v1/realtime", "/openai/realtime")
"""OpenAI's, and the two of its SDK for Azure."""
_KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""How browsers send a key: they cannot set headers."""
_BETA_PROTOCOL: Final = "openai-beta."
_FORWARDED: Final = (b"openai-beta", b"openai-safety-identifier")


class SocketIncoming:
    """The request that opens a WebSocket, as an authenticator sees it."""

    def __init__(self, scope: Scope) -> None:
        self.method = "GET"
        self.admitted: Admitted | None = scope.get("gateway.admitted")
        self.header_list: RawHeaders = scope["headers"]
        self.target = target_of(scope)
        self.path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        headers: dict[bytes, bytes] = dict(scope["headers"])
        for offered in scope.get("subprotocols", ()):
            if offered.startswith(_KEY_PROTOCOL):
                key: str = offered.removeprefix(_KEY_PROTOCOL)
                headers.setdefault(b"authorization", f"Bearer {key}".encode())
            elif offered.startswith(_BETA_PROTOCOL):
                beta: str = offered.removeprefix(_BETA_PROTOCOL).replace("-", "=", 1)
                headers.setdefault(b"openai-beta", beta.encode())
        self.query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        for key in self.query.pop("api-key", ()):  # Azure's way for browsers
            headers.setdefault(b"api-key", key.encode("latin-1", "replace"))
            scope["query_string"] = urlencode(self.query, doseq=True).encode()  # the server may log it
        self.headers: Mapping[bytes, bytes] = headers
        peer = scope.get("client")
        self.client: str | None = peer[0] if peer else None

    async def body(self) -> bytes:
        """Return nothing: such a request has no body."""
        return b""

    def model(self) -> str:
        """Return the model that the URL names, if any."""
        return (self.query.get("model") or self.query.get("deployment") or [""])[0]


class RealtimeEndpoint:
    """Makes a call of each session."""

    def __init__(self, *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle) -> None:
        self._wire = WIRES[REALTIME]
        self._access = access
        self._pipeline = pipeline
        self._lifecycle = lifecycle

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
        reply.listen()
        try:
            await self._pipeline.run(call, reply)
        finally:
            await reply.stop()

    async def _call(self, scope: Scope) -> Call:
        self._lifecycle.admit()
        incoming = SocketIncoming(scope)
        principal = await self._access.caller(incoming)
        if principal is ANYONE:
            _refuse_other_sites(incoming)
        head = self._wire.read(b"", Given(model=incoming.model()))
        client_id = incoming.headers.get(b"x-client-request-id")
        request_id: str = scope["gateway.request_id"]
        return Call(
            id="call_" + request_id[4:],
            request_id=request_id,
            client_request_id=client_id[:CLIENT_ID_LENGTH].decode("latin-1") if client_id else None,
            capability=self._wire.capability,
            dialect=self._wire.name,
            model=head.model,
            stream=True,
            shows_usage=True,
            body=b"",
            principal=principal,
            received_at=time.time(),
            forwarded=[
                (name, value) for name in _FORWARDED if (value := incoming.headers.get(name)) is not None
            ],
        )


def realtime_routes(
    *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle
) -> Sequence[Route | WebSocketRoute]:
    """List the routes: each for sessions, and to tell those who ask over plain HTTP."""
    endpoint = RealtimeEndpoint(access=access, pipeline=pipeline, lifecycle=lifecycle)
    return [
        *(WebSocketRoute(path, endpoint) for path in PATHS),
        *(Route(path, _no_session) for path in PATHS),
    ]


async def _no_session(_request: Request) -> Response:
    raise InvalidRequest(
        "Realtime sessions are WebSockets: connect to this URL with wss:// or ws://.",
        status=426,
        code="upgrade_required",
        headers=[(b"upgrade", b"websocket")],
    )


def _refuse_other_sites(incoming: SocketIncoming) -> None:
    """Keep web pages out of a gateway that asks nobody who they are: browsers let any page connect to any host."""
    origin = incoming.headers.get(b"origin")
    if origin is not None and urlsplit(origin).netloc != incoming.headers.get(b"host"):
        raise PermissionDenied(
            "Pages of other sites may not connect while the gateway has no authentication.",
            code="foreign_origin",
        )
