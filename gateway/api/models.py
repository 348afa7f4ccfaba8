"""GET /v1/models and /v1/models/{id}: as OpenAI has them, or as Anthropic has them for its own clients.

Beside OpenAI's own fields there are `kind`, `context_window` and `max_output_tokens` (tokens), `capabilities`, `pricing`
(US dollars; tokens and characters per million) and `retires` (a day), where they are known.

https://platform.openai.com/docs/api-reference/models and https://platform.claude.com/docs/en/api/models/list
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api import anthropic
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
        principal = await self._access.caller(_incoming(request))
        models = self._routing.models(principal)
        if anthropic.speaks_anthropic(request):
            return anthropic.named(JSONResponse(anthropic.model_page(models, request.query_params)), request)
        data = [_shape(model) for model in models]
        return JSONResponse({"object": "list", "data": data})

    async def show(self, request: Request) -> Response:
        """Describe one; its id may hold slashes."""
        principal = await self._access.caller(_incoming(request))
        model = self._routing.model(request.path_params["id"], principal)
        if anthropic.speaks_anthropic(request):
            return anthropic.named(JSONResponse(anthropic.model_fields(model)), request)
        return JSONResponse(_shape(model))


def _incoming(request: Request) -> HttpIncoming:
    return HttpIncoming(request.scope, request.receive, max_body=0)


def _shape(model: ModelInfo) -> dict[str, Any]:
    """What OpenAI tells of a model, and what is known beside that."""
    more = {
        "kind": model.kind,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": model.capabilities,
        "pricing": model.pricing,
        "retires": model.retires,
    }
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        **{name: value for name, value in more.items() if value is not None},
    }
