"""Every route of the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.call import CallEndpoint
from gateway.api.health import HealthEndpoint
from gateway.api.lifecycle import Lifecycle
from gateway.api.models import ModelsEndpoint
from gateway.ledger import Ledger
from gateway.pipeline import Pipeline
from gateway.routing import RoutingTable
from gateway.wire import WIRES

CALLS: Final = MappingProxyType(
    {
        "/v1/chat/completions": "openai.chat",
        "/v1/embeddings": "openai.embeddings",
    }
)
"""Path and dialect of each route that makes a call."""


class CallRoutes:
    """Finds the endpoints that make calls by exact path, before everything else is asked.

    They answer their own errors, so they need none of Starlette's handlers around them, whose three wrappers would cost
    more on each streamed chunk than all else the gateway does with it. Other methods and paths go to Starlette's router.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._endpoints = endpoints
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to an endpoint, or to the rest."""
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._endpoints.get(scope["path"].removeprefix(scope.get("root_path", "")))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await self._rest(scope, receive, send)


def call_endpoints(
    *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle, max_body: int
) -> Mapping[str, CallEndpoint]:
    """Make the endpoints that make calls, by path."""
    return {
        path: CallEndpoint(
            WIRES[dialect], access=access, pipeline=pipeline, lifecycle=lifecycle, max_body=max_body
        )
        for path, dialect in CALLS.items()
    }


def core_routes(
    *,
    calls: Mapping[str, CallEndpoint],
    access: Access,
    lifecycle: Lifecycle,
    routing: RoutingTable,
    ledger: Ledger,
) -> Sequence[Route]:
    """List the routes of the core."""
    models = ModelsEndpoint(access=access, routing=routing)
    health = HealthEndpoint(lifecycle=lifecycle, ledger=ledger)
    return [
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in calls.items()),
        Route("/v1/models", models.list),
        Route("/v1/models/{id:path}", models.show),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]
