"""GET /v1beta/models and /v1beta/models/{id}. https://ai.google.dev/api/models."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.gemini import KEY_HEADER, METHODS, take_key
from gateway.api.incoming import HttpIncoming
from gateway.errors import GatewayError, InvalidRequest
from gateway.routing import RoutingTable
from gateway.types import Capability, Dialect, ModelInfo, Principal
from gateway.wire import LIVE, WIRES, Wire
from gateway.wire.gemini_errors import error_body

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_MARKS: Final = frozenset({KEY_HEADER, b"x-goog-api-client"})
"""Headers that only Google's clients send."""
_OWN: Final = re.compile(
    r"/(?:v1beta|upload|download|v1/cachedContents)(?:/|$)|/v1/(?:models|files|batches)/.*:[A-Za-z]+$"
)
"""Paths that only Google's clients use."""
_METHODS: Final[Mapping[str, Dialect]] = {
    **{method: dialect for method, (dialect, _) in METHODS.items()},
    "bidiGenerateContent": LIVE,
}
_CHATS: Final[Collection[Capability]] = ("chat", "tokens")
"""Calls of models that write, draw or speak."""
_CALLS: Final[Mapping[str, Collection[Capability]]] = {
    "embedding": ("embedding", "tokens"),
    "moderation": (),
    "realtime": ("realtime",),
    "rerank": (),
    "video": (),
}
"""The same of others, by the word of `gateway.catalogue.KINDS`."""
_LONGEST_PAGE: Final = 1000
_USUAL_PAGE: Final = 50


def speaks_gemini(request: Request) -> bool:
    """Whether a request outside of calls comes from one of Google's clients: by its path, its headers, or a key in its query."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    names = {name for name, _ in request.scope["headers"]}
    return bool(_OWN.match(path) or names & _MARKS) or "key" in request.query_params


def either(google: Handler, others: Handler) -> Handler:
    """Make one handler of two for the same path."""

    async def choose(request: Request) -> Response:
        return await (google if speaks_gemini(request) else others)(request)

    return choose


class GeminiModels:
    """Lists and describes the models that the caller may use, in Gemini's shape."""

    def __init__(self, *, access: Access, routing: RoutingTable) -> None:
        self._access = access
        self._routing = routing

    async def list(self, request: Request) -> Response:
        """List them, page by page."""
        return await self._answer(request, self._page)

    async def show(self, request: Request) -> Response:
        """Describe one; its id may hold slashes."""
        return await self._answer(request, self._one)

    async def _answer(
        self, request: Request, answer: Callable[[Request, Principal], dict[str, Any]]
    ) -> Response:
        take_key(request.scope)
        try:
            incoming = HttpIncoming(request.scope, request.receive, max_body=0)
            return JSONResponse(answer(request, await self._access.caller(incoming)))
        except GatewayError as error:
            made = Response(error_body(error), status_code=error.status, media_type="application/json")
            made.raw_headers.extend(error.headers)
            return made

    def _page(self, request: Request, principal: Principal) -> dict[str, Any]:
        models = self._routing.models(principal)
        size = min(number_of(request, "pageSize", _USUAL_PAGE) or _USUAL_PAGE, _LONGEST_PAGE)
        start = number_of(request, "pageToken", 0)
        page: dict[str, Any] = {"models": [self._shape(model) for model in models[start : start + size]]}
        if start + size < len(models):
            page["nextPageToken"] = str(start + size)
        return page

    def _one(self, request: Request, principal: Principal) -> dict[str, Any]:
        return self._shape(self._routing.model(request.path_params["id"], principal))

    def _shape(self, model: ModelInfo) -> dict[str, Any]:
        limits = {"inputTokenLimit": model.context_window, "outputTokenLimit": model.max_output_tokens}
        return {
            "name": f"models/{model.id}",
            "displayName": model.id,
            "description": f"Served by {model.owned_by}.",
            **{name: limit for name, limit in limits.items() if limit is not None},
            "supportedGenerationMethods": [
                method for method, dialect in _METHODS.items() if self._has(model, WIRES[dialect])
            ],
        }

    def _has(self, model: ModelInfo, wire: Wire) -> bool:
        fitting = _CALLS.get(model.kind, _CHATS) if model.kind else None
        return (fitting is None or wire.capability in fitting) and self._routing.takes(
            model.id, wire.capability, wire.name
        )


def number_of(request: Request, name: str, default: int) -> int:
    """Read a number of the query. Raises `InvalidRequest` when it is none."""
    value = request.query_params.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdecimal() and len(value) < 10):  # noqa: PLR2004 - far more than there are models
        raise InvalidRequest(
            f"Invalid '{name}': '{value}' is no number.", status=HTTPStatus.BAD_REQUEST, param=name
        )
    return int(value)
