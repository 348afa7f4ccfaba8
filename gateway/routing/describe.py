"""What clients are told of a model that they may call: of an alias, what all of its targets have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from gateway.catalogue import CAPABILITIES, Model, ModelCatalogue, Price
from gateway.catalogue.model import midnight
from gateway.protocols import Provider
from gateway.types import ModelInfo, Target

Asked: TypeAlias = Callable[[str, str, Price | None, float, str], Mapping[str, object] | None]
"""What a tenant is asked: gets the catalogue, the model, its cost, the time (Unix seconds) and the tenant."""


class Describer:
    """Looks up what targets can do."""

    def __init__(
        self, providers: Mapping[str, Provider], catalogue: ModelCatalogue, asked: Asked | None = None
    ) -> None:
        """`asked` tells what callers are asked; the cost when it is not given."""
        self._providers = providers
        self._catalogue = catalogue
        self._asked = asked

    def is_offered(self, provider: str, name: str, at: float) -> bool:
        """Whether a listed model may be expected to answer: what is not known may, what has retired may not."""
        model = self._catalogue.find(self._providers[provider].catalogue, name)
        if model is None or model.kind is None:
            return True
        served = any(model.kind == capability for capability in self._providers[provider].dialects)
        return served and not model.is_retired(at)

    def describe(
        self, name: str, owned_by: str, targets: Sequence[Target], at: float, tenant: str = ""
    ) -> ModelInfo:
        """Describe what a name stands for at `at` (Unix seconds); the first target gives dates and prices.

        Prices are those of `tenant`.
        """
        found = [self._model(target) for target in targets]
        known = [model for model in found if model is not None]
        first = found[0] if found else None
        if first is None or len(known) < len(found):
            return ModelInfo(id=name, owned_by=owned_by, created=_unix(first and first.released))
        return ModelInfo(
            id=name,
            owned_by=owned_by,
            created=_unix(first.released),
            kind=first.kind,
            context_window=_least([model.context for model in known]),
            max_output_tokens=_least([model.max_output for model in known]),
            capabilities=_common(known) if first.kind else None,
            pricing=self._pricing(targets[0], first.price(at), at, tenant),
            retires=first.retires and first.retires.isoformat(),
        )

    def _model(self, target: Target) -> Model | None:
        provider = self._providers.get(target.provider)
        return None if provider is None else self._catalogue.find(provider.catalogue, target.model)

    def _pricing(
        self, target: Target, cost: Price | None, at: float, tenant: str
    ) -> Mapping[str, object] | None:
        if self._asked is not None:
            return self._asked(self._providers[target.provider].catalogue, target.model, cost, at, tenant)
        return None if cost is None else {"currency": "USD", **cost.shown()}


def _common(models: Sequence[Model]) -> tuple[str, ...]:
    return tuple(word for word in CAPABILITIES if all(word in model.can for model in models))


def _least(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return min(known) if len(known) == len(numbers) else None


def _unix(day: date | None) -> int:
    return 0 if day is None else int(midnight(day))
