"""POST /v1/responses."""

from __future__ import annotations

import time

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.call import CallEndpoint
from gateway.api.lifecycle import Lifecycle
from gateway.api.reply import HttpReply
from gateway.api.responses.asked import Asked, new_row, put_to_provider, read_asked
from gateway.api.responses.background import Runs
from gateway.api.responses.events import Corrections
from gateway.api.responses.follow import Follower
from gateway.api.responses.keeper import Keeper
from gateway.api.responses.references import with_items
from gateway.api.responses.reply import KeepingReply
from gateway.errors import GatewayError, InvalidRequest
from gateway.pipeline import Pipeline
from gateway.store.responses import StoredResponse
from gateway.types import Answer, Call
from gateway.wire import PLAIN, Given
from gateway.wire.openai_responses import OpenAIResponses, begun, new_id

_JSON = (b"content-type", b"application/json")


class CreateEndpoint(CallEndpoint):
    """Continues, stores, and runs in the background; all else is as with every call."""

    def __init__(
        self,
        *,
        access: Access,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        max_body: int,
        keeper: Keeper,
        runs: Runs,
        follower: Follower,
    ) -> None:
        super().__init__(
            OpenAIResponses(), access=access, pipeline=pipeline, lifecycle=lifecycle, max_body=max_body
        )
        self._keeper = keeper
        self._runs = runs
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send, given: Given = PLAIN) -> None:
        """Answer one request."""
        try:
            call = await self._call(scope, receive, given)
            call = await self._with_items(call)
            asked = read_asked(call.body)
            body = await self._body(call, asked)
            if asked.in_background:
                await self._start(call, asked, body, scope, receive, send)
                return
            row = new_row(call, asked, days=self._keeper.days, response_id="") if asked.stores else None
        except GatewayError as error:
            await HttpReply(self._wire, receive, send).fail(error)
            return
        reply = KeepingReply(
            self._wire, receive, send, keeper=self._keeper, row=row, corrections=_corrections(asked)
        )
        await self._pipeline.run(msgspec.structs.replace(call, body=body), reply)

    async def _with_items(self, call: Call) -> Call:
        database, tenant = self._keeper.database, call.principal.tenant
        body = await with_items(call.body, database, tenant, max_body=self._max_body)
        return call if body is call.body else msgspec.structs.replace(call, body=body)

    async def _body(self, call: Call, asked: Asked) -> bytes:
        previous = asked.previous_response_id
        chain = await self._keeper.chain(call.principal.tenant, previous) if previous else []
        body = put_to_provider(call.body, asked, chain)
        if len(body) > max(self._max_body, len(call.body)):
            raise InvalidRequest(
                f"With the responses that it continues, the request is larger than the {self._max_body} bytes allowed.",
                status=413,
                param="previous_response_id",
                code="request_too_large",
            )
        return body

    async def _start(
        self,
        call: Call,
        asked: Asked,
        body: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        row = _queued(call, asked, self._keeper)
        corrections = _corrections(asked, id=row.id, background=True)
        await self._runs.start(msgspec.structs.replace(call, body=body), row, corrections)
        if call.stream:
            await self._follower.response(row, starting_after=-1)(scope, receive, send)
        else:
            await HttpReply(self._wire, receive, send).whole(Answer(200, [_JSON], body=row.response))


def _queued(call: Call, asked: Asked, keeper: Keeper) -> StoredResponse:
    """Make the row of a response that runs in the background, with what the client is told of it at once."""
    row = new_row(call, asked, days=keeper.days, response_id=new_id())
    given = msgspec.json.decode(call.body)
    response = begun(given, row.id, call.model, int(time.time()), status="queued")
    return msgspec.structs.replace(row, worker=keeper.worker, response=msgspec.json.encode(response))


def _corrections(asked: Asked, **changes: object) -> Corrections:
    if asked.previous_response_id is not None:
        changes["previous_response_id"] = asked.previous_response_id
    return Corrections(changes)
