"""The endpoint behind every route that makes a call: authenticate, read, hand to the pipeline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.reply import HttpReply
from gateway.errors import GatewayError, Unavailable
from gateway.pipeline import Pipeline
from gateway.types import Call
from gateway.wire import Wire

if TYPE_CHECKING:
    from gateway.api.lifecycle import Lifecycle

CLIENT_ID_LENGTH = 200


class CallEndpoint:
    """One dialect's endpoint, as an ASGI application: no request or response objects on the hot path."""

    def __init__(
        self, wire: Wire, *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle, max_body: int
    ) -> None:
        self._wire = wire
        self._access = access
        self._pipeline = pipeline
        self._lifecycle = lifecycle
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reply = HttpReply(self._wire, receive, send)
        try:
            call = await self._call(scope, receive)
        except GatewayError as error:
            await reply.fail(error)
            return
        await self._pipeline.run(call, reply)

    async def _call(self, scope: Scope, receive: Receive) -> Call:
        if self._lifecycle.draining:
            raise Unavailable("The gateway is shutting down.", headers=[(b"retry-after", b"1")])
        wire = self._wire
        incoming = HttpIncoming(scope, receive, self._max_body)
        principal = await self._access.principal(incoming)
        body = await incoming.body()
        head = wire.read(body)
        client_id = incoming.headers.get(b"x-client-request-id")
        request_id: str = scope["gateway.request_id"]
        return Call(
            id="call_" + request_id[4:],
            request_id=request_id,
            client_request_id=client_id[:CLIENT_ID_LENGTH].decode("latin-1") if client_id else None,
            capability=wire.capability,
            dialect=wire.name,
            model=head.model,
            stream=head.stream,
            shows_usage=head.shows_usage,
            body=body,
            principal=principal,
            received_at=time.time(),
        )
