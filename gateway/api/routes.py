"""Every route of the core, in one list: what is asked for most often comes first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from gateway.api.access import Access
from gateway.api.call import CallEndpoint
from gateway.api.health import HealthEndpoint
from gateway.api.lifecycle import Lifecycle
from gateway.api.models import ModelsEndpoint
from gateway.ledger import Ledger
from gateway.pipeline import Pipeline
from gateway.routing import RoutingTable
from gateway.wire import WIRES

CALLS = (
    ("/v1/chat/completions", "openai.chat"),
    ("/v1/embeddings", "openai.embeddings"),
)
"""Path and dialect of each route that makes a call."""


def core_routes(
    *,
    access: Access,
    pipeline: Pipeline,
    lifecycle: Lifecycle,
    routing: RoutingTable,
    ledger: Ledger,
    max_body: int,
) -> Sequence[BaseRoute]:
    """Make the routes of the core."""
    models = ModelsEndpoint(access=access, routing=routing)
    health = HealthEndpoint(lifecycle=lifecycle, ledger=ledger)
    calls = [
        Route(
            path,
            CallEndpoint(
                WIRES[dialect], access=access, pipeline=pipeline, lifecycle=lifecycle, max_body=max_body
            ),
            methods=["POST"],
        )
        for path, dialect in CALLS
    ]
    return [
        *calls,
        Route("/v1/models", models.list),
        Route("/v1/models/{id:path}", models.show),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]
