"""Which models there are, what they cost, and whether one can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from gateway.errors import GatewayError
from gateway.types import Principal

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.doors import Calls, Visit
    from gateway.types import ModelInfo

_TYPES: Final[Mapping[str, str]] = {
    "chat": "chatCompletion",
    "image": "imageGeneration",
    "speech": "audioGeneration",
}
"""The hub's words where they differ."""
_CUSTOM: Final = "custom"
"""What nobody knows the kind of; most such models chat."""
_CHATS: Final = frozenset({"chat", "chatCompletion"})
_PER: Final = 1_000_000
_UNKNOWN: Final = "unknown"
_RATES: Final[Mapping[str, str]] = {"input": "input_credits_per_token", "output": "output_credits_per_token"}


class Models:
    """Lists models, and tells of one."""

    def __init__(self, calls: Calls, tenant: str) -> None:
        self._calls = calls
        self._everybody = Principal(tenant=tenant, authenticator="none")

    async def listed(self, request: Request) -> Response:
        """List models with rates for everybody, `type` choosing a kind."""
        return self._list(request, self._everybody)

    async def listed_to(self, visit: Visit, request: Request) -> Response:
        """List those that the caller may use."""
        return self._list(request, visit.principal)

    async def chat(self, visit: Visit, _request: Request) -> Response:
        """List chat models by their names alone, each with everybody who has it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for model in self._calls.models(visit.principal):
            if model.kind == "chat":
                shown = _shown(model)
                found.setdefault(shown["model"], []).append(shown)
        return JSONResponse(
            [
                {
                    "model": name,
                    "description": "",
                    "rates": [
                        {key: rate[key] for key in ("provider", "key", *_RATES.values())} for rate in rates
                    ],
                    "providers": [rate["provider"] for rate in rates],
                }
                for name, rates in found.items()
            ]
        )

    async def available(self, visit: Visit, _request: Request) -> Response:
        """Tell whether there is any model at all."""
        return JSONResponse({"available": bool(self._calls.models(visit.principal))})

    async def status(self, visit: Visit, request: Request) -> Response:
        """Tell whether the caller may use a model, by the whole of its name. Always status 200."""
        name = request.query_params.get("model")
        if not name:
            return await self.available(visit, request)
        try:
            model = self._calls.model(name, visit.principal)
        except GatewayError as error:
            return JSONResponse({"available": False, "error": error.message, "code": error.status})
        if model.retires is not None and date.fromisoformat(model.retires) <= datetime.now(UTC).date():
            told = f"The model '{name}' was retired on {model.retires}."
            return JSONResponse({"available": False, "error": told, "code": 404})
        return JSONResponse({"available": True})

    def _list(self, request: Request, principal: Principal) -> Response:
        kind = request.query_params.get("type")
        wanted = {kind, _TYPES.get(kind or ""), _CUSTOM if kind in _CHATS else None}
        shown = map(_shown, self._calls.models(principal))
        return JSONResponse([model for model in shown if kind is None or model["type"] in wanted])


def _shown(model: ModelInfo) -> dict[str, Any]:
    """One model. Rates are in US dollars, as text; `unknown` where nobody knows them."""
    kind = model.kind or _CUSTOM
    own, slash, rest = model.id.partition("/")
    features = {
        "maxTokens": model.context_window,
        "maxOutputTokens": model.max_output_tokens,
        "features": list(model.capabilities or ()),
        "retires": model.retires,
    }
    return {
        "key": model.id,
        "model": rest if slash and own == model.owned_by else model.id,
        "type": _TYPES.get(kind, kind),
        "provider": model.owned_by,
        "providerId": model.owned_by,
        "providerDisplayName": model.owned_by,
        **{name: _rate(model.pricing, rate) for rate, name in _RATES.items()},
        "modelMetadata": {name: value for name, value in features.items() if value is not None},
        "status": {"available": True},
    }


def _rate(pricing: Mapping[str, object] | None, name: str) -> str:
    """A rate for a single token."""
    per_million = None if pricing is None else pricing.get(name)
    if not isinstance(per_million, int | float):
        return _UNKNOWN
    return f"{Decimal(str(per_million)) / _PER:f}"
