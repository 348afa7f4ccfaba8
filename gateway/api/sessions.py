"""Sessions over WebSockets: authenticated, limited and metered like every other call, in whichever dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NoReturn
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Scope

from gateway.api.access import ANYONE, Access, Admitted
from gateway.api.incoming import target_of
from gateway.api.lifecycle import Lifecycle
from gateway.api.socket import SocketReply
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.pipeline import Pipeline
from gateway.types import Call, Principal, RawHeaders

_KEY_PROTOCOL: Final = "openai-insecure-api-key."
"""How browsers send a key: they cannot set headers."""
_BETA_PROTOCOL: Final = "openai-beta."


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


class Sessions:
    """Finds out who opens a session, and runs it as one call."""

    def __init__(self, *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle) -> None:
        self._access = access
        self._pipeline = pipeline
        self._lifecycle = lifecycle

    async def caller(self, incoming: SocketIncoming) -> Principal:
        """Return who it is. Raises what `Access.caller` does, and `Unavailable` when the gateway is about to stop."""
        self._lifecycle.admit()
        principal = await self._access.caller(incoming)
        if principal is ANYONE:
            _refuse_other_sites(incoming)
        return principal

    async def run(self, call: Call, reply: SocketReply) -> None:
        """Run a session to its end."""
        reply.listen()
        try:
            await self._pipeline.run(call, reply)
        finally:
            await reply.stop()


def socket_routes(paths: Sequence[str], endpoint: ASGIApp) -> Sequence[Route | WebSocketRoute]:
    """List the routes: each for sessions, and to tell those who ask over plain HTTP."""
    return [
        *(WebSocketRoute(path, endpoint) for path in paths),
        *(Route(path, _no_session) for path in paths),
    ]


async def _no_session(_request: Request) -> NoReturn:
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
