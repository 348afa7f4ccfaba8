"""The endpoint behind every route that makes a call: authenticate, read, hand to the pipeline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.manners import PLAIN_MANNERS, Manners
from gateway.api.reply import HttpReply
from gateway.api.sending import Renamed
from gateway.errors import GatewayError
from gateway.pipeline import Pipeline
from gateway.types import Call, Principal
from gateway.wire import PLAIN, Given, Wire

if TYPE_CHECKING:
    from gateway.api.lifecycle import Lifecycle

CLIENT_ID_LENGTH = 200


class CallEndpoint:
    """One dialect's endpoint, as an ASGI application: no request or response objects on the hot path."""

    def __init__(
        self,
        wire: Wire,
        *,
        access: Access,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        max_body: int,
        manners: Manners = PLAIN_MANNERS,
    ) -> None:
        self._wire = wire
        self._rename = manners.rename
        self._forwarded = manners.forwarded
        self._access = access
        self._pipeline = pipeline
        self._lifecycle = lifecycle
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send, given: Given = PLAIN) -> None:
        """Answer one request; `given` is what its path says."""
        if self._rename is not None:
            send = Renamed(send, self._rename, scope["gateway.request_id"])
        reply = HttpReply(self._wire, receive, send)
        try:
            call = await self._call(scope, receive, given)
        except GatewayError as error:
            error.request_id = scope["gateway.request_id"]
            await reply.fail(error)
            return
        await self._pipeline.run(call, reply)

    async def _call(self, scope: Scope, receive: Receive, given: Given) -> Call:
        self._lifecycle.admit()
        incoming = HttpIncoming(scope, receive, self._max_body)
        principal = await self._access.caller(incoming)
        body = incoming.ready()
        return new_call(
            self._wire,
            scope,
            incoming.headers,
            principal,
            body=await incoming.body() if body is None else body,
            given=given,
            forwarded=self._forwarded,
        )


def new_call(
    wire: Wire,
    scope: Scope,
    headers: Mapping[bytes, bytes],
    principal: Principal,
    *,
    body: bytes,
    given: Given,
    forwarded: Sequence[bytes] = (),
) -> Call:
    """Make the call that a request asks for; `forwarded` names headers that go on. Raises `InvalidRequest`."""
    kind = headers.get(b"content-type")
    content_type = kind.decode("latin-1") if kind else given.content_type
    if content_type != given.content_type:
        given = replace(given, content_type=content_type)
    head = wire.read(body, given)
    client_id = headers.get(b"x-client-request-id")
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
        content_type=content_type,
        principal=principal,
        received_at=time.time(),
        forwarded=[(name, headers[name]) for name in forwarded if name in headers] if forwarded else (),
        provider=given.provider,
    )
