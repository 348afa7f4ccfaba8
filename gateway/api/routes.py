"""Every route of the core."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.access import Access
from gateway.api.anthropic import ANTHROPIC
from gateway.api.call import CallEndpoint
from gateway.api.gemini import ASIDE, GeminiEndpoint
from gateway.api.gemini_models import GeminiModels, either
from gateway.api.health import HealthEndpoint
from gateway.api.lifecycle import Lifecycle
from gateway.api.manners import PLAIN_MANNERS
from gateway.api.models import ModelsEndpoint
from gateway.api.own_path import OwnPathEndpoint
from gateway.api.passthrough import PREFIX, PassthroughEndpoint
from gateway.ledger import Ledger
from gateway.pipeline import Pipeline
from gateway.protocols import Provider
from gateway.routing import RoutingTable
from gateway.wire import LIVE, PASSTHROUGH, REALTIME, WIRES

CALLS: Final = MappingProxyType(
    {
        "/v1/audio/speech": "openai.speech",
        "/v1/audio/transcriptions": "openai.transcriptions",
        "/v1/audio/translations": "openai.translations",
        "/v1/chat/completions": "openai.chat",
        "/v1/completions": "openai.completions",
        "/v1/embed": "cohere.embed_v1",
        "/v1/embeddings": "openai.embeddings",
        "/v1/images/edits": "openai.image_edits",
        "/v1/images/generations": "openai.images",
        "/v1/images/variations": "openai.image_variations",
        "/v1/messages": "anthropic.messages",
        "/v1/messages/count_tokens": "anthropic.count_tokens",
        "/v1/moderations": "openai.moderations",
        "/v1/rerank": "cohere.rerank",
        "/v2/embed": "cohere.embed",
        "/v2/rerank": "cohere.rerank",
    }
)
"""Path and dialect of each route that makes a call."""

MANNERS: Final = MappingProxyType({"anthropic.messages": ANTHROPIC, "anthropic.count_tokens": ANTHROPIC})
"""The dialects that have headers of their own."""

_OTHERWISE: Final = frozenset({LIVE, PASSTHROUGH, REALTIME})
"""Dialects that are not served with one request and one answer."""


class CallRoutes:
    """Finds the endpoints that make calls by path, before everything else is asked.

    The path is that of an endpoint, or begins as one of them does and names a method after a colon. Of a provider's own
    paths, all methods are taken.

    They answer their own errors, so they need none of Starlette's handlers around them, whose three wrappers would cost
    more on each streamed chunk than all else the gateway does with it. Other methods and paths go to Starlette's router.
    """

    def __init__(self, endpoints: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        # As methods, and so is `serve`: to call an object costs Python more than to call its method.
        self._endpoints = {path: endpoint.__call__ for path, endpoint in endpoints.items()}
        self._beginnings = tuple(path for path in endpoints if path.endswith("/"))
        self._rest = rest

    def serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand over to an endpoint, or to the rest; without a frame of its own while that runs."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if scope.get("root_path"):
                path = path.removeprefix(scope["root_path"])
            endpoint = self._endpoints.get(path) if scope["method"] == "POST" else None
            if endpoint is None and path.startswith(PREFIX):
                endpoint = self._endpoints[PREFIX]
            elif endpoint is None and ":" in path and scope["method"] == "POST" and not path.endswith(ASIDE):
                start = next(filter(path.startswith, self._beginnings), "")
                endpoint = self._endpoints.get(start)
            if endpoint is not None:
                return endpoint(scope, receive, send)
        return self._rest(scope, receive, send)


def call_endpoints(
    *,
    providers: Mapping[str, Provider],
    access: Access,
    pipeline: Pipeline,
    lifecycle: Lifecycle,
    max_body: int,
) -> Mapping[str, ASGIApp]:
    """Make the endpoints that make calls, by path; one that ends in a slash is the beginning of many."""
    made = {
        dialect: CallEndpoint(
            WIRES[dialect],
            access=access,
            pipeline=pipeline,
            lifecycle=lifecycle,
            max_body=max_body,
            manners=MANNERS.get(dialect, PLAIN_MANNERS),
        )
        for dialect in WIRES
        if dialect not in _OTHERWISE
    }
    gemini = GeminiEndpoint(made)
    own = OwnPathEndpoint(
        WIRES[PASSTHROUGH], access=access, pipeline=pipeline, lifecycle=lifecycle, max_body=max_body
    )
    return {
        **{path: made[dialect] for path, dialect in CALLS.items()},
        "/v1beta/": gemini,
        "/v1/models/": gemini,
        PREFIX: PassthroughEndpoint(providers, made, own, access=access, max_body=max_body),
    }


def core_routes(
    *,
    calls: Mapping[str, ASGIApp],
    access: Access,
    lifecycle: Lifecycle,
    routing: RoutingTable,
    ledger: Ledger,
) -> Sequence[Route]:
    """List the routes of the core."""
    models = ModelsEndpoint(access=access, routing=routing)
    gemini = GeminiModels(access=access, routing=routing)
    health = HealthEndpoint(lifecycle=lifecycle, ledger=ledger)
    return [
        Route("/v1/models", either(gemini.list, models.list)),
        Route("/v1/models/{id:path}", either(gemini.show, models.show)),
        Route("/v1beta/models", gemini.list),
        Route("/v1beta/models/{id:path}", gemini.show),
        Route("/v1beta/{rest:path}", calls["/v1beta/"], methods=["POST"]),
        Route(f"{PREFIX}{{rest:path}}", calls[PREFIX]),
        *(Route(path, app, methods=["POST"]) for path, app in calls.items() if not path.endswith("/")),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]
