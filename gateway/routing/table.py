"""Which targets a model name leads to."""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.catalogue import ModelCatalogue
from gateway.errors import InvalidRequest, ModelNotFound, PermissionDenied
from gateway.protocols import Native, Provider
from gateway.routing.describe import Asked, Describer
from gateway.types import Call, Capability, Dialect, ModelInfo, Principal, Target
from gateway.wire import ESTIMATE, translates

CACHE_SIZE = 4096

AS_CHAT: Final[Mapping[Capability, Capability]] = {"responses": "chat", "completion": "chat"}
"""What a provider without the capability may still be asked for, translated."""


class RoutingTable:
    """Aliases from `[models.*]`, `provider/model` names, and bare names of models that a provider is known to have.

    A plan is a tuple of targets in the order in which they are tried. `models` lists per provider what it is known
    to have; of a bare name that several have, the first provider in the file gets the call. What clients are told of
    models is in `catalogue`, by default the one that ships with the gateway.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        aliases: Mapping[str, Sequence[Target]],
        models: Mapping[str, Sequence[str]],
        catalogue: ModelCatalogue | None = None,
        asked: Asked | None = None,
    ) -> None:
        self._providers = providers
        self._models = models
        self._describer = Describer(providers, catalogue or ModelCatalogue(), asked)
        self._bare: dict[str, Target] = {}
        for provider in providers:
            for model in models.get(provider, ()):
                self._bare.setdefault(model, Target(provider, model))
        self._plans: dict[tuple[str, Dialect], tuple[Target, ...]] = {}
        self.use(aliases)

    def use(self, aliases: Mapping[str, Sequence[Target]], disabled: Collection[str] = frozenset()) -> None:
        """Take these names from now on, instead of those before.

        What is `disabled` is not called: a name, or a `provider/model`, also where other names lead to it.
        """
        self._disabled = disabled
        self._aliases = {
            name: tuple(
                target
                for target in targets
                if target.provider in self._providers and not self._is_off(target)
            )
            for name, targets in aliases.items()
            if name not in disabled
        }
        self._plans = {}

    def plan(self, call: Call) -> tuple[Target, ...]:
        """Return the targets for a call, best first; never empty.

        Raises `ModelNotFound` with the nearest names, `InvalidRequest` when no target can do this capability, or
        `PermissionDenied` when none of their providers may be asked.
        """
        if call.provider is not None:
            return _allowed(self._resolve(call), call)
        plan = self._plans.get((call.model, call.dialect))
        if plan is None:
            plan = self._resolve(call)
            if len(self._plans) < CACHE_SIZE:
                self._plans[call.model, call.dialect] = plan
        return plan if call.principal.providers is None else _allowed(plan, call)

    def models(self, principal: Principal) -> list[ModelInfo]:
        """List the names that a principal may call: aliases first, then `provider/model`.

        What a provider does not do, or does not serve any more, is not listed.
        """
        now = time.time()
        return [
            self._describer.describe(name, owner, targets, now, principal.tenant)
            for name, owner, targets in self._listed(principal, now)
        ]

    def model(self, name: str, principal: Principal) -> ModelInfo:
        """Describe one callable name, listed or not. Raises `ModelNotFound`."""
        targets = _open_to(principal, self._targets(name)) if principal.may_use(name) else ()
        if not targets:
            raise self._unknown(name, principal)
        owner = "gateway" if name in self._aliases else targets[0].provider
        return self._describer.describe(name, owner, targets, time.time(), principal.tenant)

    def takes(self, name: str, capability: Capability, dialect: Dialect) -> bool:
        """Whether such calls of that model lead to some provider."""
        return any(self._way(capability, dialect, target) for target in self._targets(name))

    def name_at(self, provider: str, name: str) -> str:
        """Return how a provider itself calls a model: where a name of the gateway's leads there, else the name as it is.

        Raises `ModelNotFound` for a name that only leads elsewhere, or is disabled.
        """
        prefix, slash, _ = name.partition("/")
        known = name in self._aliases or name in self._disabled or (slash and prefix in self._providers)
        if known and name not in self._models.get(provider, ()):
            target = next((one for one in self._targets(name) if one.provider == provider), None)
            if target is None and name not in self._disabled:
                raise ModelNotFound(
                    f"The model '{name}' is none of the provider '{provider}'.", param="model"
                )
        else:
            target = Target(provider, name)
        if target is None or self._is_off(target):
            raise ModelNotFound(f"The model '{name}' is disabled.", param="model")
        return target.model

    def _listed(self, principal: Principal, now: float) -> Iterator[tuple[str, str, Sequence[Target]]]:
        for name, aliased in self._aliases.items():
            targets = _open_to(principal, aliased)
            if targets and principal.may_use(name):
                yield name, "gateway", targets
        for provider in self._providers:
            if principal.providers is not None and provider not in principal.providers:
                continue
            for model in self._models.get(provider, ()):
                name = f"{provider}/{model}"
                if name in self._disabled or name in self._aliases:
                    continue
                if principal.may_use(name) and self._describer.is_offered(provider, model, now):
                    yield name, provider, (Target(provider, model),)

    def _resolve(self, call: Call) -> tuple[Target, ...]:
        own = None if call.provider is None else Target(call.provider, call.model)
        targets = self._targets(call.model) if own is None else () if self._is_off(own) else (own,)
        if not targets:
            raise self._unknown(call.model, call.principal)
        plan = tuple(
            Target(target.provider, target.model, dialect)
            for target in targets
            if (dialect := self._dialect(call, target))
        )
        if not plan:
            raise InvalidRequest(
                f"The model '{call.model}' cannot be used for {call.capability} calls.",
                param="model",
                code="unsupported_capability",
            )
        return plan

    def _dialect(self, call: Call, target: Target) -> Dialect | None:
        """In which dialect a target is to get the call; None when it cannot do such calls."""
        return call.dialect if call.own is not None else self._way(call.capability, call.dialect, target)

    def _way(self, capability: Capability, spoken: Dialect, target: Target) -> Dialect | None:
        provider = self._providers[target.provider]
        if isinstance(provider, Native) and provider.speaks(spoken, target.model):
            return spoken
        for asked in (capability, AS_CHAT.get(capability)):
            dialect = provider.dialects.get(asked) if asked else None
            if dialect and translates(spoken, dialect):
                return dialect
        return ESTIMATE if capability == "tokens" and "chat" in provider.dialects else None

    def _targets(self, name: str) -> tuple[Target, ...]:
        if name in self._disabled:
            return ()
        if name in self._aliases:
            return self._aliases[name]
        provider, slash, model = name.partition("/")
        if slash and model and provider in self._providers:
            return (Target(provider, model),)
        bare = self._bare.get(name)
        return (bare,) if bare and not self._is_off(bare) else ()

    def _is_off(self, target: Target) -> bool:
        return bool(self._disabled) and f"{target.provider}/{target.model}" in self._disabled

    def _unknown(self, name: str, principal: Principal) -> ModelNotFound:
        may_know = principal.may_use(name)
        if may_know and name in self._disabled:
            return ModelNotFound(f"The model '{name}' is disabled.", param="model")
        if may_know and self._aliases.get(name) == ():
            return ModelNotFound(f"None of the providers of the model '{name}' is enabled.", param="model")
        hint = _nearest(name, (listed for listed, *_ in self._listed(principal, time.time())))
        return ModelNotFound(
            f"The model '{name}' does not exist or you do not have access to it.{hint}", param="model"
        )


def _open_to(principal: Principal, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets whose providers may be asked for that principal."""
    allowed = principal.providers
    return targets if allowed is None else tuple(target for target in targets if target.provider in allowed)


def _allowed(plan: tuple[Target, ...], call: Call) -> tuple[Target, ...]:
    plan = _open_to(call.principal, plan)
    if not plan:
        raise PermissionDenied(
            f"No provider that this account may use has the model '{call.model}'.",
            param="model",
            code="provider_not_allowed",
        )
    return plan


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(n) for n in close)}?" if close else ""
