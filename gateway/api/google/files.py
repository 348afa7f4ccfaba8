"""Files: described, listed, sent and deleted. https://ai.google.dev/api/files."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.google.asking import Asking
from gateway.api.google.keeper import copy_id
from gateway.api.google.kinds import FILE
from gateway.api.own_path import RelayingReply
from gateway.api.relay import relay
from gateway.errors import GatewayError
from gateway.store.files import delete_file
from gateway.wire import WIRES


class GoogleFiles:
    """A tenant's own files at one provider."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def show(self, request: Request) -> Response:
        """Describe a file."""
        return await self._asking.show(request, FILE)

    async def list(self, request: Request) -> Response:
        """List files."""
        return await self._asking.list(request, FILE)

    async def delete(self, request: Request) -> Response:
        """Delete a file, and the copy of its lines."""
        principal, row = await self._asking.find(request, FILE)
        done = await self._asking.delete(request, FILE)
        await delete_file(self._asking.keeper.database, principal.tenant, copy_id(row.id))
        return done


class GoogleContent:
    """What is in a file that the provider has made. One that breaks off on its way is cut here, too."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = RelayingReply(WIRES["gemini.generate"], receive, send)
        try:
            request = Request(scope, receive)
            principal, row = await self._asking.find(request, FILE)
            path = f"/{row.upstream_id}:download"
            answer = await self._asking.keeper.remote.send(principal, "GET", path, query="alt=media")
            answer.headers.append((b"x-content-type-options", b"nosniff"))
            await relay(answer, reply)
        except GatewayError as error:
            await reply.fail(error)
