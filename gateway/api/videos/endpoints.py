"""The routes of video jobs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.lifecycle import Lifecycle
from gateway.api.videos.create import CreateVideo, RemixVideo
from gateway.api.videos.keeper import VideoKeeper
from gateway.api.videos.stored import ContentEndpoint, StoredVideos
from gateway.inflight import InFlight
from gateway.ledger import Ledger
from gateway.pipeline import Pipeline
from gateway.protocols import Provider
from gateway.store import Database

PATH = "/v1/videos"


class VideoEndpoints(Struct, frozen=True):
    """What the gateway serves."""

    path: str
    create: CreateVideo
    routes: tuple[Route, ...]
    """All others."""


def video_endpoints(
    *,
    access: Access,
    pipeline: Pipeline,
    lifecycle: Lifecycle,
    inflight: InFlight,
    ledger: Ledger,
    database: Database,
    providers: Mapping[str, Provider],
    max_body: int,
) -> VideoEndpoints:
    """Make the endpoints."""
    keeper = VideoKeeper(database, ledger, providers)
    create, remix = (
        endpoint(
            access=access,
            pipeline=pipeline,
            lifecycle=lifecycle,
            max_body=max_body,
            inflight=inflight,
            keeper=keeper,
        )
        for endpoint in (CreateVideo, RemixVideo)
    )
    stored = StoredVideos(access=access, keeper=keeper)
    one = PATH + "/{id}"
    return VideoEndpoints(
        PATH,
        create,
        (
            Route(PATH, stored.list),
            Route(one, stored.show),
            Route(one, stored.delete, methods=["DELETE"]),
            Route(f"{one}/content", ContentEndpoint(access=access, keeper=keeper)),
            Route(f"{one}/remix", remix, methods=["POST"]),
        ),
    )
