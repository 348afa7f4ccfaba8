"""Which targets a model name leads to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from gateway.errors import InvalidRequest, ModelNotFound
from gateway.protocols import Provider
from gateway.types import Call, Capability, ModelInfo, Principal, Target

CACHE_SIZE = 4096


class RoutingTable:
    """Aliases from `[models.*]`, `provider/model` names, and bare names of models that a provider is known to have.

    A plan is a tuple of targets in the order in which they are tried. `models` lists per provider what it is known
    to have; of a bare name that several have, the first provider in the file gets the call.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        aliases: Mapping[str, Sequence[Target]],
        models: Mapping[str, Sequence[str]],
    ) -> None:
        self._providers = providers
        self._models = models
        self._aliases = {
            name: tuple(target for target in targets if target.provider in providers)
            for name, targets in aliases.items()
        }
        self._bare: dict[str, Target] = {}
        for provider in providers:
            for model in models.get(provider, ()):
                self._bare.setdefault(model, Target(provider, model))
        self._plans: dict[tuple[str, Capability], tuple[Target, ...]] = {}

    def plan(self, call: Call) -> tuple[Target, ...]:
        """Return the targets for a call, best first; never empty.

        Raises `ModelNotFound` with the nearest names, or `InvalidRequest` when no target can do this capability.
        """
        plan = self._plans.get((call.model, call.capability))
        if plan is None:
            plan = self._resolve(call)
            if len(self._plans) < CACHE_SIZE:
                self._plans[call.model, call.capability] = plan
        return plan

    def models(self, principal: Principal) -> list[ModelInfo]:
        """List the names that a principal may call: aliases first, then `provider/model`."""
        names = [ModelInfo(id=name, owned_by="gateway") for name, targets in self._aliases.items() if targets]
        for provider in self._providers:
            known = self._models.get(provider, ())
            names += [ModelInfo(id=f"{provider}/{model}", owned_by=provider) for model in known]
        return [model for model in names if principal.may_use(model.id)]

    def model(self, name: str, principal: Principal) -> ModelInfo:
        """Describe one callable name, listed or not. Raises `ModelNotFound`."""
        targets = self._targets(name) if principal.may_use(name) else ()
        if not targets:
            raise self._unknown(name, principal)
        return ModelInfo(id=name, owned_by="gateway" if name in self._aliases else targets[0].provider)

    def _resolve(self, call: Call) -> tuple[Target, ...]:
        targets = self._targets(call.model)
        if not targets:
            raise self._unknown(call.model, call.principal)
        plan = tuple(t for t in targets if call.capability in self._providers[t.provider].dialects)
        if not plan:
            raise InvalidRequest(
                f"The model '{call.model}' cannot be used for {call.capability} calls.",
                param="model",
                code="unsupported_capability",
            )
        return plan

    def _targets(self, name: str) -> tuple[Target, ...]:
        if name in self._aliases:
            return self._aliases[name]
        provider, slash, model = name.partition("/")
        if slash and model and provider in self._providers:
            return (Target(provider, model),)
        bare = self._bare.get(name)
        return (bare,) if bare else ()

    def _unknown(self, name: str, principal: Principal) -> ModelNotFound:
        if name in self._aliases:
            return ModelNotFound(f"None of the providers of the model '{name}' is enabled.", param="model")
        hint = _nearest(name, (model.id for model in self.models(principal)))
        return ModelNotFound(
            f"The model '{name}' does not exist or you do not have access to it.{hint}", param="model"
        )


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(n) for n in close)}?" if close else ""
