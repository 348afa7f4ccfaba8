"""`/models` and `/prices`: what the tenant may call, where that leads, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Moment, Page, PageQuery, Query, Shown, moment
from gateway.catalogue import Price
from gateway.catalogue.model import ANY
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.types import ModelInfo, Principal, narrowed


class ModelFilters(PageQuery):
    """Which models are meant."""

    kind: str | None = Field(default=None, max_length=20, description="As `chat`, `embedding`, `image`.")
    owned_by: str | None = Field(
        default=None,
        max_length=100,
        description="Name of the provider; `gateway` for names from the config or the admin API.",
    )
    search: str | None = Field(default=None, min_length=1, max_length=200, description="Part of the name.")


class TargetShown(Shown):
    """Where calls of a name go."""

    provider: str
    model: str
    tier: int
    weight: int


class ModelShown(Shown):
    """A name that may be called. What nobody knows is null."""

    id: str
    owned_by: str = Field(description="The provider; `gateway` for a name from the config or the admin API.")
    kind: str | None
    context_window: int | None
    max_output_tokens: int | None
    capabilities: list[str] | None
    pricing: dict[str, Any] | None = Field(
        description="Rates in force, in the price book's currency: those of tokens and characters per million."
    )
    retires: str | None
    policy: str | None = Field(description="How one of the targets is chosen.")
    targets: list[TargetShown] | None = Field(description="In the order in which they are tried.")


class PriceFilters(PageQuery):
    """Which prices are meant."""

    provider: str | None = Field(default=None, max_length=100, description="By its name in the config.")
    model: str | None = Field(default=None, max_length=200, description="As the provider knows it.")
    at: Moment | None = Field(default=None, description="Only those in force at that moment.")


class PriceShown(Shown):
    """The price of a model in one period."""

    provider: str
    model: str = Field(description="`*` stands for all that are not listed.")
    currency: str
    rates: dict[str, float] = Field(
        description="Per million tokens or characters, per picture, hour, search or request, as the name says."
    )
    long: dict[str, float] | None = Field(description="The rates of prompts of more tokens than `above`.")
    valid_from: datetime | None = Field(description="Null: since ever.")
    valid_until: datetime | None = Field(
        description="The first moment at which it no longer holds; null: open."
    )
    version: str = Field(description="Of the price book, as calls name it.")


async def list_models(request: AdminRequest[ModelFilters, None]) -> Page[ModelShown]:
    """List the models of a tenant, by name."""
    query = request.query
    start = after(query.cursor, tuple[str])
    found = sorted(request.services.routing.models(_of_tenant(request)), key=lambda model: model.id)
    rows = [model for model in found if _is_meant(model, query) and (start is None or model.id > start[0])]
    shown, cursor = page(rows, query.limit, lambda model: (model.id,))
    return Page[ModelShown](data=[_shown(request, model) for model in shown], next_cursor=cursor)


async def show_model(request: AdminRequest[Query, None]) -> ModelShown:
    """Show one model; its name may hold slashes."""
    try:
        model = request.services.routing.model(request.path["id"], _of_tenant(request))
    except ModelNotFound as error:
        raise InvalidRequest(error.message, status=404, code="not_found") from None
    return _shown(request, model)


async def list_prices(request: AdminRequest[PriceFilters, None]) -> Page[PriceShown]:
    """List the prices of the models that the config's providers are known to have."""
    query = request.query
    start = after(query.cursor, tuple[str, str, int])
    at = None if query.at is None else query.at.timestamp()
    rows = [
        row
        for row in _prices(request)
        if (at is None or row[3].valid_from <= at < row[3].valid_until)
        and query.provider in (None, row[0])
        and query.model in (None, row[1])
        and (start is None or row[:3] > start)
    ]
    shown, cursor = page(rows, query.limit, lambda row: row[:3])
    return Page[PriceShown](data=[_price(*row) for row in shown], next_cursor=cursor)


def _of_tenant(request: AdminRequest[Any, Any]) -> Principal:
    """Whose models are meant: the caller's own, or those of a tenant that an operator names."""
    principal = request.principal
    if request.tenant != principal.tenant:
        principal = Principal(tenant=request.tenant, authenticator=principal.authenticator)
    policy = request.context.tenants.policies.get(request.tenant)
    if policy is None:
        return principal
    return replace(
        principal,
        models=narrowed(principal.models, policy.models),
        providers=narrowed(principal.providers, policy.providers),
    )


def _is_meant(model: ModelInfo, query: ModelFilters) -> bool:
    return (
        query.kind in (None, model.kind)
        and query.owned_by in (None, model.owned_by)
        and (query.search is None or query.search.lower() in model.id.lower())
    )


def _shown(request: AdminRequest[Any, Any], model: ModelInfo) -> ModelShown:
    entry = request.services.routes.entries.get(model.id)
    route = None if entry is None else entry.route
    targets = None
    if route is not None:
        targets = [
            TargetShown(provider=one.provider, model=one.model, tier=one.tier, weight=one.weight)
            for one in sorted(route.targets, key=lambda target: target.tier)
        ]
    return ModelShown(
        id=model.id,
        owned_by=model.owned_by,
        kind=model.kind,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        capabilities=None if model.capabilities is None else list(model.capabilities),
        pricing=None if model.pricing is None else dict(model.pricing),
        retires=model.retires,
        policy=None if route is None else route.policy,
        targets=targets,
    )


def _prices(request: AdminRequest[Any, Any]) -> Iterator[tuple[str, str, int, Price]]:
    """Every period of every price by provider and model, the newest first, numbered."""
    allowed = _of_tenant(request).providers
    catalogue = request.services.prices.catalogue
    for name, provider in sorted(request.services.providers.items()):
        if allowed is not None and name not in allowed:
            continue
        listed = dict(catalogue.models(provider.catalogue))
        if (others := catalogue.find(provider.catalogue, ANY)) is not None:
            listed[ANY] = others
        for model, known in sorted(listed.items()):
            for number, price in enumerate(known.prices):
                yield name, model, number, price


def _price(provider: str, model: str, _number: int, price: Price) -> PriceShown:
    return PriceShown(
        provider=provider,
        model=model,
        currency="USD",
        rates=price.rates(),
        long=None if price.long is None else {"above": price.above, **price.long.rates()},
        valid_from=moment(price.valid_from) if price.valid_from > 0 else None,
        valid_until=moment(price.valid_until) if price.valid_until < _FOR_EVER else None,
        version=price.version,
    )


_FOR_EVER = float("inf")

ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/models",
        permission="models.read",
        handler=list_models,
        summary="List the models that the tenant may call",
        query=ModelFilters,
        answer=Page[ModelShown],
    ),
    Endpoint(
        method="GET",
        path="/models/{id:path}",
        permission="models.read",
        handler=show_model,
        summary="Show a model, and where its calls go",
        answer=ModelShown,
    ),
    Endpoint(
        method="GET",
        path="/prices",
        permission="models.read",
        handler=list_prices,
        summary="List prices and when they hold",
        query=PriceFilters,
        answer=Page[PriceShown],
    ),
)
