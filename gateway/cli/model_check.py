"""Whether the names in a config fit what is known of models, and what providers say they have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.document import did_you_mean
from gateway.errors import GatewayError
from gateway.protocols import ListsModels

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.catalogue import Model, ModelCatalogue
    from gateway.config import Config
    from gateway.protocols import Provider
    from gateway.settings import ModelRoute

_SOON: Final = timedelta(days=90)
"""How long before a model retires it is a problem."""
_WORTH: Final = ("tools", "vision", "audio_in", "audio_out", "pdf", "structured_output")
"""What a call needs that it asks for: a target without it cannot stand in for one that has it."""


class Difference(Struct, frozen=True, kw_only=True):
    """Between what a provider says it has and what is known of it."""

    provider: str
    new: Sequence[str]
    """Models that it has, of which nothing is known."""
    gone: Sequence[str]
    """Models that are listed here, not retired, and that it does not have."""


def problems(
    config: Config, providers: Mapping[str, Provider], catalogue: ModelCatalogue, at: float
) -> list[str]:
    """Everything that is wrong with the targets of `[models.*]` at `at` (Unix seconds)."""
    return [
        f"[models.{name}] {problem}"
        for name, route in config.models.items()
        for problem in _of(route, providers, catalogue, at)
    ]


def ask(config: Config, catalogue: ModelCatalogue) -> tuple[list[str], Sequence[Difference]]:
    """Ask each enabled provider for its models; return problems, and differences to the catalogue."""
    from gateway.app import Gateway

    return asyncio.run(_ask(Gateway(config), config, catalogue))


async def _ask(
    gateway: Gateway, config: Config, catalogue: ModelCatalogue
) -> tuple[list[str], Sequence[Difference]]:
    found: list[str] = []
    differences: list[Difference] = []
    async with gateway.lifespan():
        for provider in gateway.registry.facade.providers():
            if not isinstance(provider, ListsModels):
                continue
            try:
                listed = frozenset(await provider.list_models())
            except GatewayError as error:
                found.append(f"[provider.{provider.name}] {error.message}")
                continue
            if listed:
                found += _missing(config, provider.name, listed)
                differences.append(_compare(provider, listed, catalogue))
    return found, differences


def _missing(config: Config, provider: str, listed: frozenset[str]) -> Iterator[str]:
    for name, route in config.models.items():
        for target in route.targets:
            if target.provider == provider and target.model not in listed:
                hint = did_you_mean(target.model, listed)
                yield f"[models.{name}] {target.to}: {provider} does not list this model{hint}"


def _compare(provider: Provider, listed: frozenset[str], catalogue: ModelCatalogue) -> Difference:
    if not catalogue.knows_any(provider.catalogue):
        return Difference(provider=provider.name, new=(), gone=())
    now = datetime.now(UTC).timestamp()
    known = catalogue.models(provider.catalogue)
    return Difference(
        provider=provider.name,
        new=sorted(name for name in listed if catalogue.find(provider.catalogue, name) is None),
        gone=sorted(
            name
            for name, model in known.items()
            if not model.is_retired(now) and not any(_is(one, name) for one in listed)
        ),
    )


def _is(listed: str, name: str) -> bool:
    """Whether a provider's name means the same: a family is there when one of its snapshots is."""
    return listed == name or listed.startswith(f"{name}-20")


def _of(
    route: ModelRoute, providers: Mapping[str, Provider], catalogue: ModelCatalogue, at: float
) -> Iterator[str]:
    found: list[tuple[str, Model]] = []
    for target in route.targets:
        provider = providers.get(target.provider)
        if provider is None:
            continue  # it is skipped, which `gateway check` tells
        model = catalogue.find(provider.catalogue, target.model)
        if model is not None:
            yield from (f"{target.to}: {problem}" for problem in _model(model, at))
            if model.kind is not None:
                found.append((target.to, model))
        elif catalogue.knows_any(provider.catalogue) and target.model not in provider.models:
            hint = did_you_mean(target.model, catalogue.models(provider.catalogue))
            yield f"{target.to}: nothing is known of this model, not even its price{hint}"
    yield from _unlike(found)


def _model(model: Model, at: float) -> Iterator[str]:
    if model.is_retired(at):
        yield f"retired on {model.retires}"
    elif model.retires is not None and model.is_retired(at + _SOON.total_seconds()):
        yield f"retires on {model.retires}"
    if model.price(at) is None:
        yield "no price is known"


def _unlike(found: Sequence[tuple[str, Model]]) -> Iterator[str]:
    """What the first target can do and another one cannot."""
    if not found:
        return
    (first, best), *others = found
    for name, model in others:
        if model.kind != best.kind:
            yield f"{name} is for {model.kind}, but {first} for {best.kind}"
            continue
        lacks = [word for word in _WORTH if word in best.can and word not in model.can]
        if lacks:
            yield f"{name} cannot do what {first} can: {', '.join(lacks).replace('_', ' ')}"
