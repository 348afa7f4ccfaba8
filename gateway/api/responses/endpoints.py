"""The routes of the Responses API."""

from __future__ import annotations

from msgspec import Struct
from starlette.routing import Route

from gateway.api.access import Access
from gateway.api.lifecycle import Lifecycle
from gateway.api.responses.background import Runs
from gateway.api.responses.create import CreateEndpoint
from gateway.api.responses.follow import Follower
from gateway.api.responses.input_items import InputItemsEndpoint
from gateway.api.responses.input_tokens import InputTokensEndpoint
from gateway.api.responses.keeper import Keeper
from gateway.api.responses.stored import StoredEndpoints
from gateway.inflight import InFlight
from gateway.pipeline import Pipeline

PATH = "/v1/responses"


class ResponseEndpoints(Struct, frozen=True):
    """What the gateway serves, and what runs beside that."""

    path: str
    create: CreateEndpoint
    routes: tuple[Route, ...]
    """All others."""
    runs: Runs


def response_endpoints(
    *,
    access: Access,
    pipeline: Pipeline,
    lifecycle: Lifecycle,
    inflight: InFlight,
    keeper: Keeper,
    max_body: int,
    keep_alive: float,
) -> ResponseEndpoints:
    """Make the endpoints."""
    runs = Runs(pipeline, inflight, keeper)
    follower = Follower(keeper, keep_alive=keep_alive)
    create = CreateEndpoint(
        access=access,
        pipeline=pipeline,
        lifecycle=lifecycle,
        max_body=max_body,
        keeper=keeper,
        runs=runs,
        follower=follower,
    )
    stored = StoredEndpoints(access=access, keeper=keeper, runs=runs, follower=follower)
    items = InputItemsEndpoint(access=access, keeper=keeper)
    tokens = InputTokensEndpoint(access=access, keeper=keeper, max_body=max_body)
    one = PATH + "/{id}"
    return ResponseEndpoints(
        PATH,
        create,
        (
            Route(f"{PATH}/input_tokens", tokens.count, methods=["POST"]),
            Route(one, stored.show),
            Route(one, stored.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", stored.cancel, methods=["POST"]),
            Route(f"{one}/input_items", items.list),
        ),
        runs,
    )
