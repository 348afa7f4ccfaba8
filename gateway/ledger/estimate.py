"""What a call is likely to be charged at most, told before it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.catalogue import Price
from gateway.ledger.prices import Pricing
from gateway.ledger.selling import PlanOf
from gateway.types import Call, Target, Usage
from gateway.wire.asked import TEXT, Asked, asked


class Estimator:
    """`gateway.doors.Prices`: the charge of a call at the dearest of its targets."""

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
        pricing, at, tenant = self._pricing, call.received_at, call.principal.tenant
        dearest: int | None = None
        for target in self._plan(call):
            catalogue, name = self._catalogues[target.provider], target.model
            model = pricing.book.model(catalogue, name)
            price = None if model is None else model.price(at)
            if price is None:
                price = pricing.price(catalogue, name, at)
            terms = pricing.selling.find(catalogue, name, at, tenant)
            rates = terms.price or price
            if rates is None:
                continue
            prompt, answer = wanted.prompt_tokens, wanted.answer_tokens
            copies, longest = wanted.copies, None if model is None else model.max_output
            if answer is None:
                answer = copies * min(self._answer_tokens, longest or self._answer_tokens)
            elif longest is not None and answer > copies * longest:
                answer = copies * longest
            if model is not None and model.context is not None and prompt > copies * model.context:
                prompt = copies * model.context
            if wanted.media is None and not call.batch:
                charge = rates.most(prompt, answer)
            else:
                usage = _usage(wanted, prompt, answer, rates)
                charge = rates.cost(pricing.in_batch(usage, catalogue, name) if call.batch else usage)
            if terms.price is None:
                charge = terms.with_margin(charge)
            if dearest is None or charge > dearest:
                dearest = charge
        return dearest

    def use_plans(self, plan_of: PlanOf) -> None:
        """See the protocol."""
        self._pricing.selling.plan_of = plan_of


def _usage(wanted: Asked, prompt: int, answer: int, price: Price) -> Usage:
    """As much as may be used, of the dearest kind."""
    media = wanted.media or TEXT
    thoughts = 0 if price.units is None or (price.units.reasoning or 0) <= price.output else answer
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        reasoning_tokens=thoughts,
        cached_write_tokens=prompt if price.cached_write > price.input else 0,
        audio_prompt_tokens=prompt if media.hears else 0,
        audio_completion_tokens=answer if media.speaks else 0,
        images=media.images,
        size=media.size,
        quality=media.quality,
        seconds=media.seconds,
        characters=media.characters,
        searches=media.searches,
    )
