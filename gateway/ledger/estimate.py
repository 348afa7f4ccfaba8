"""What a call is likely to be charged at most, told before it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.catalogue import Model, Price
from gateway.ledger.prices import Pricing
from gateway.ledger.selling import PlanOf
from gateway.types import Call, Target, Usage
from gateway.wire.asked import Asked, asked


class Estimator:
    """`gateway.protocols.Prices`: the charge of a call at the dearest of its targets."""

    def __init__(
        self,
        pricing: Pricing,
        plan: Callable[[Call], Sequence[Target]],
        catalogues: Mapping[str, str],
        *,
        answer_tokens: int,
    ) -> None:
        """`catalogues` names the catalogue of each provider; `answer_tokens` bounds an answer to which the client sets no bound."""
        self._pricing = pricing
        self._plan = plan
        self._catalogues = catalogues
        self._answer_tokens = answer_tokens

    def estimate(self, call: Call) -> int | None:
        """See the protocol."""
        wanted = asked(call)
        dearest: int | None = None
        at, tenant = call.received_at, call.principal.tenant
        for target in self._plan(call):
            catalogue = self._catalogues[target.provider]
            model = self._pricing.book.model(catalogue, target.model)
            price = None if model is None else model.price(at)
            if price is None:
                price = self._pricing.price(catalogue, target.model, at)
            terms = self._pricing.selling.find(catalogue, target.model, at, tenant)
            rates = terms.price or price
            if rates is None:
                continue
            usage = self._usage(wanted, model, rates)
            if call.batch:
                usage = self._pricing.in_batch(usage, catalogue, target.model)
            charge = terms.charge(None if price is None else price.cost(usage), usage)
            if charge is not None and (dearest is None or charge > dearest):
                dearest = charge
        return dearest

    def use_plans(self, plan_of: PlanOf) -> None:
        """See the protocol."""
        self._pricing.selling.plan_of = plan_of

    def _usage(self, wanted: Asked, model: Model | None, price: Price) -> Usage:
        prompt, answer = wanted.prompt_tokens, wanted.answer_tokens
        longest = None if model is None else model.max_output
        if answer is None:
            answer = wanted.copies * min(self._answer_tokens, longest or self._answer_tokens)
        elif longest is not None:
            answer = min(answer, wanted.copies * longest)
        if model is not None and model.context is not None:
            prompt = min(prompt, wanted.copies * model.context)
        thoughts = 0 if price.units is None or (price.units.reasoning or 0) <= price.output else answer
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=answer,
            reasoning_tokens=thoughts,
            cached_write_tokens=prompt if price.cached_write > price.input else 0,
            audio_prompt_tokens=prompt if wanted.hears else 0,
            audio_completion_tokens=answer if wanted.speaks else 0,
            images=wanted.images,
            size=wanted.size,
            quality=wanted.quality,
            seconds=wanted.seconds,
            characters=wanted.characters,
            searches=wanted.searches,
        )
