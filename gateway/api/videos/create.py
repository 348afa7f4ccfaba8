"""POST /v1/videos and POST /v1/videos/{id}/remix: a call each, whose answer is a job that is remembered."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.call import CallEndpoint
from gateway.api.lifecycle import Lifecycle
from gateway.api.reply import HttpReply
from gateway.api.videos.keeper import KEPT_SECONDS, KIND, VideoKeeper
from gateway.errors import GatewayError, PermissionDenied, ProviderError
from gateway.inflight import InFlight
from gateway.pipeline import Pipeline
from gateway.store.jobs import StoredJob
from gateway.types import Answer, Call
from gateway.wire import PLAIN, Given, Wire
from gateway.wire.openai_videos import OpenAIVideoRemix, OpenAIVideos

_LONGEST_ID = 500
_OF_EARLIER = Given(model="-")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class VideoReply(HttpReply):
    """Remembers a job before the client can see it, under an id of the gateway's own."""

    __slots__ = ("_call", "_inflight", "_keeper", "_source")

    def __init__(
        self,
        wire: Wire,
        receive: Receive,
        send: Send,
        *,
        call: Call,
        source: StoredJob | None,
        inflight: InFlight,
        keeper: VideoKeeper,
    ) -> None:
        super().__init__(wire, receive, send)
        self._call = call
        self._source = source
        self._inflight = inflight
        self._keeper = keeper

    async def whole(self, answer: Answer) -> None:
        """Store the job, then send it."""
        call, outcome = self._call, self._inflight[self._call.id].outcome
        provider = outcome.provider or ""
        fields = _decode(answer.body)
        upstream_id = fields.get("id")
        if not isinstance(upstream_id, str) or not 0 < len(upstream_id) <= _LONGEST_ID:
            raise ProviderError(
                f"The provider '{provider}' sent a video job without a usable id.",
                provider=provider,
                code="upstream_malformed",
            )
        source = self._source
        now = time.time()
        model = source.model if source else call.model
        fields |= {"id": "video_" + secrets.token_hex(20), "model": model}
        if source is not None:
            fields["remixed_from_video_id"] = source.id
        answer.body = msgspec.json.encode(fields)
        row = StoredJob(
            tenant=call.principal.tenant,
            id=fields["id"],
            key=call.principal.key,
            kind=KIND,
            model=model,
            provider=provider,
            upstream_id=upstream_id,
            upstream_model=outcome.upstream_model or "",
            credential=answer.credential,
            call=call.id,
            created_at=now,
            expires_at=now + KEPT_SECONDS,
            shown=answer.body,
        )
        await self._keeper.keep(row)
        await super().whole(answer)


class CreateVideo(CallEndpoint):
    """Starts a job."""

    dialect: Wire = OpenAIVideos()

    def __init__(
        self,
        *,
        access: Access,
        pipeline: Pipeline,
        lifecycle: Lifecycle,
        max_body: int,
        inflight: InFlight,
        keeper: VideoKeeper,
    ) -> None:
        super().__init__(
            self.dialect, access=access, pipeline=pipeline, lifecycle=lifecycle, max_body=max_body
        )
        self._inflight = inflight
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send, given: Given = PLAIN) -> None:
        """Answer one request."""
        try:
            call = await self._call(scope, receive, given)
            call, source = await self._source(scope, call)
        except GatewayError as error:
            await HttpReply(self._wire, receive, send).fail(error)
            return
        reply = VideoReply(
            self._wire,
            receive,
            send,
            call=call,
            source=source,
            inflight=self._inflight,
            keeper=self._keeper,
        )
        await self._pipeline.run(call, reply)

    async def _source(self, scope: Scope, call: Call) -> tuple[Call, StoredJob | None]:
        """Return the call as it is to be made, and the job that it begins with."""
        del scope
        return call, None


class RemixVideo(CreateVideo):
    """Starts a job from an earlier one, at the provider that has it."""

    dialect: Wire = OpenAIVideoRemix()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, given: Given = _OF_EARLIER) -> None:
        """Answer one request; the model is that of the earlier film."""
        await super().__call__(scope, receive, send, given)

    async def _source(self, scope: Scope, call: Call) -> tuple[Call, StoredJob | None]:
        principal = call.principal
        job = await self._keeper.find(principal.tenant, scope["path_params"]["id"])
        if not principal.may_use(job.model):
            raise PermissionDenied(
                f"This API key may not use the model '{job.model}'.", param="model", code="model_not_allowed"
            )
        fields = {**_decode(call.body), "model": job.upstream_model, "video": {"id": job.upstream_id}}
        made = msgspec.structs.replace(
            call,
            # Only the provider that has the film can change it, by whatever name it was asked for.
            model=f"{job.provider}/{job.upstream_model}",
            principal=msgspec.structs.replace(principal, models=None),
            body=msgspec.json.encode(fields),
            content_type="application/json",
        )
        return made, job
