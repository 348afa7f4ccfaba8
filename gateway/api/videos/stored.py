"""GET and DELETE /v1/videos/{id}, GET /v1/videos, GET /v1/videos/{id}/content."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.api.paging import limit_of, newest_first
from gateway.api.relay import collected, relay
from gateway.api.reply import HttpReply
from gateway.api.videos.keeper import KIND, VideoKeeper
from gateway.errors import GatewayError, InvalidRequest, ProviderError
from gateway.store.jobs import StoredJob, delete_job, list_jobs, note_shown
from gateway.types import Answer, JobRequest
from gateway.wire.openai_videos import OpenAIVideos

_VARIANTS: Final = frozenset({"video", "thumbnail", "spritesheet"})
_MOST: Final = 100
_USUAL: Final = 20
_MAX_JOB_BYTES: Final = 1024 * 1024


class StoredVideos:
    """Shows, lists and deletes a tenant's own jobs."""

    def __init__(self, *, access: Access, keeper: VideoKeeper) -> None:
        self._access = access
        self._keeper = keeper

    async def show(self, request: Request) -> Response:
        """Ask the provider how far a job is."""
        job = await self._find(request)
        answer = await self._keeper.provider(job).job(_about(job, "show"))
        shown = _shown(job, await _whole(answer, job.provider))
        if shown != job.shown:
            await note_shown(self._keeper.database, job, shown)
        return Response(shown, media_type="application/json")

    async def list(self, request: Request) -> Response:
        """List jobs as they were seen last."""
        newest, limit = newest_first(request), limit_of(request, usual=_USUAL, most=_MOST)
        tenant = await self._tenant(request)
        after = request.query_params.get("after")
        found = await list_jobs(
            self._keeper.database,
            tenant,
            KIND,
            after=await self._keeper.find(tenant, after) if after else None,
            limit=limit + 1,
            newest_first=newest,
        )
        page = found[:limit]
        return JSONResponse(
            {
                "object": "list",
                "data": [msgspec.json.decode(job.shown) for job in page],
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
                "has_more": len(found) > len(page),
            }
        )

    async def delete(self, request: Request) -> Response:
        """Delete a job at the provider, and forget it."""
        job = await self._find(request)
        try:
            await _whole(await self._keeper.provider(job).job(_about(job, "delete")), job.provider)
        except ProviderError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # what the provider has forgotten is deleted, too
                raise
        await delete_job(self._keeper.database, job.tenant, job.id)
        return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})

    async def _find(self, request: Request) -> StoredJob:
        return await self._keeper.find(await self._tenant(request), request.path_params["id"])

    async def _tenant(self, request: Request) -> str:
        principal = await self._access.caller(HttpIncoming(request.scope, request.receive, max_body=0))
        return principal.tenant


class ContentEndpoint:
    """Sends a film on as it comes."""

    def __init__(self, *, access: Access, keeper: VideoKeeper) -> None:
        self._access = access
        self._keeper = keeper
        self._wire = OpenAIVideos()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A film that breaks off on its way is cut here, too."""
        reply = HttpReply(self._wire, receive, send)
        try:
            principal = await self._access.caller(HttpIncoming(scope, receive, max_body=0))
            job = await self._keeper.find(principal.tenant, scope["path_params"]["id"])
            variant = Request(scope).query_params.get("variant")
            if variant is not None and variant not in _VARIANTS:
                raise InvalidRequest(
                    f"Invalid 'variant': expected one of {', '.join(sorted(_VARIANTS))}.", param="variant"
                )
            answer = await self._keeper.provider(job).job(_about(job, "content", variant))
            await relay(answer, reply)
        except GatewayError as error:
            await reply.fail(error)


def _about(job: StoredJob, action: Any, variant: str | None = None) -> JobRequest:
    return JobRequest(
        action=action,
        id=job.upstream_id,
        model=job.upstream_model,
        credential=job.credential,
        variant=variant,
        tenant=job.tenant,
    )


async def _whole(answer: Answer, provider: str) -> dict[str, Any]:
    """Read what a provider says about a job. Raises `ProviderError` when it is no JSON object."""
    body = await collected(answer, _MAX_JOB_BYTES)
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ProviderError(
            f"The provider '{provider}' sent something that is no video job.",
            provider=provider,
            code="upstream_malformed",
        )
    return cast("dict[str, Any]", said)


def _shown(job: StoredJob, said: dict[str, Any]) -> bytes:
    """Say it with the ids and the model's name that the client knows."""
    before: dict[str, Any] = msgspec.json.decode(job.shown)
    kept = {name: before[name] for name in ("remixed_from_video_id", "prompt") if before.get(name)}
    return msgspec.json.encode({**before, **said, **kept, "id": job.id, "model": job.model})
