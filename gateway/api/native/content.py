"""GET /v1/files/{id}/content, from a provider."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.native.keeper import NativeKeeper
from gateway.api.own_path import RelayingReply
from gateway.api.relay import relay
from gateway.errors import GatewayError
from gateway.wire import PASSTHROUGH, WIRES


class ContentEndpoint:
    """Sends a file on as it comes. One that breaks off on its way is cut here, too."""

    def __init__(self, keeper: NativeKeeper, *, access: Access) -> None:
        self._keeper = keeper
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = RelayingReply(WIRES[PASSTHROUGH], receive, send)
        try:
            principal = await self._access.caller(HttpIncoming(scope, receive, max_body=0))
            row = await self._keeper.find(principal.tenant, "file", scope["path_params"]["id"])
            path = f"/files/{row.upstream_id}/content"
            answer = await self._keeper.remote.send(principal, "GET", path)
            answer.headers.append((b"x-content-type-options", b"nosniff"))
            await relay(answer, reply)
        except GatewayError as error:
            await reply.fail(error)
