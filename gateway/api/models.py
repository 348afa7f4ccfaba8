"""GET /v1/models and /v1/models/{id}. https://platform.openai.com/docs/api-reference/models."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.access import Access
from gateway.api.incoming import HttpIncoming
from gateway.routing import RoutingTable
from gateway.types import ModelInfo


class ModelsEndpoint:
    """Lists and describes the models that the caller may use."""

    def __init__(self, *, access: Access, routing: RoutingTable) -> None:
        self._access = access
        self._routing = routing

    async def list(self, request: Request) -> Response:
        """List them."""
        principal = await self._access.principal(_incoming(request))
        data = [_shape(model) for model in self._routing.models(principal)]
        return JSONResponse({"object": "list", "data": data})

    async def show(self, request: Request) -> Response:
        """Describe one; its id may hold slashes."""
        principal = await self._access.principal(_incoming(request))
        return JSONResponse(_shape(self._routing.model(request.path_params["id"], principal)))


def _incoming(request: Request) -> HttpIncoming:
    return HttpIncoming(request.scope, request.receive, max_body=0)


def _shape(model: ModelInfo) -> dict[str, str | int]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
