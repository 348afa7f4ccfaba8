"""What a call costs: the price of its model in force when it was received, and the decision for prices nobody knows."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec.structs import replace

from gateway.catalogue import ModelCatalogue, Price
from gateway.catalogue.rates import nano
from gateway.errors import ConfigError, InvalidRequest
from gateway.ledger.selling import SellingPrices, Terms
from gateway.types import Outcome, Usage

Unknown: TypeAlias = Literal["flag", "refuse", "fallback"]
"""What happens to a call whose price is not known: cost null, refusal, or the price the operator gave for such calls."""

_REMEMBERED = 4096
"""How many looked-up models a book keeps; clients choose the names, so the number must have a bound."""


def flat_price(input: Decimal, output: Decimal, *, version: str = "fallback") -> Price:
    """Make a price that always holds, from currency units per million tokens.

    Raises `ConfigError` for an amount that cannot be counted in 10⁻⁹ of the currency.
    """
    try:
        rate, out = nano(input), nano(output)
    except ValueError as error:
        raise ConfigError([f"[gateway.prices] {error}, unlike {input} or {output}"]) from error
    return Price(input=rate, output=out, cached_read=rate, cached_write=rate, version=version)


class PriceBook:
    """The prices of all models, by catalogue (the provider that sells them) and model."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self.catalogue = catalogue
        self.model = lru_cache(_REMEMBERED)(catalogue.find)
        """What is known of a model, by catalogue and name."""

    @classmethod
    def load(cls, extra: Path | None = None) -> PriceBook:
        """Read the shipped catalogue, and an extra file in the same format whose prices are asked first.

        Raises `ConfigError` that names every entry of the extra file which cannot be used.
        """
        return cls(ModelCatalogue.load(extra))

    def find(self, catalogue: str, model_name: str, at: float) -> Price | None:
        """Return the price in force at `at` (Unix seconds), or None when the book does not know it."""
        model = self.model(catalogue, model_name)
        return None if model is None else model.price(at)


class Pricing:
    """Prices calls, and decides about those whose price is not known."""

    def __init__(
        self,
        book: PriceBook,
        *,
        unknown: Unknown = "flag",
        fallback: Price | None = None,
        selling: SellingPrices | None = None,
    ) -> None:
        if unknown == "fallback" and fallback is None:
            raise ConfigError(
                ["[gateway.prices] unknown = 'fallback' needs fallback_input and fallback_output"]
            )
        self.book = book
        self.selling = selling or SellingPrices(Terms(name=None), Decimal(1))
        self.refuses = unknown == "refuse"
        """Whether there is anything to `check`."""
        self._fallback = fallback if unknown == "fallback" else None

    def price(self, catalogue: str, model: str, at: float) -> Price | None:
        """Return the price in force at `at` (Unix seconds), the fallback where none is known, or None."""
        known = self.book.model(catalogue, model)
        return (None if known is None else known.price(at)) or self._fallback

    def version(
        self, catalogue: str, model: str, at: float, version: str | None, usage: Usage, cost: int
    ) -> Price | None:
        """Return the price that led to a cost: of that version, or another that says the same; None where none does."""
        known = self.book.model(catalogue, model)
        prices = (
            [] if known is None else [one for one in known.prices if one.valid_from <= at < one.valid_until]
        )
        if self._fallback is not None:
            prices.append(self._fallback)
        prices.sort(key=lambda one: one.version != version)
        return next((one for one in prices if one.cost(usage) == cost), None)

    def of_version(self, catalogue: str, model: str, at: float, version: str | None) -> Price | None:
        """Return the price in force at `at` that has a version; one of another where the book has none of it."""
        known = self.book.model(catalogue, model)
        prices = (
            [] if known is None else [one for one in known.prices if one.valid_from <= at < one.valid_until]
        )
        if self._fallback is not None:
            prices.append(self._fallback)
        return next((one for one in prices if one.version == version), prices[0] if prices else None)

    def check(self, catalogue: str, model: str, at: float) -> None:
        """Refuse a call whose price is not known, where that is the decision; call it before the provider.

        Raises `InvalidRequest` (400, `model_price_unknown`).
        """
        if self.refuses and self.book.find(catalogue, model, at) is None:
            raise InvalidRequest(
                f"No price is known for the model {model!r} of {catalogue!r}, and this gateway refuses such calls.",
                code="model_price_unknown",
                param="model",
            )

    def in_batch(self, usage: Usage, catalogue: str, model: str) -> Usage:
        """Note in usage what the provider takes off for work in its batches, where that is known."""
        known = self.book.model(catalogue, model)
        percent = None if known is None else known.batch_percent
        return replace(usage, batch_percent=percent) if percent else usage

    def apply(
        self, outcome: Outcome, catalogue: str, at: float, tenant: str, *, plan: str | None = None
    ) -> None:
        """Fill in `cost`, `price_version`, `charge` and `selling` from `usage` and `upstream_model`.

        Without `plan` it is the tenant's of today.
        All stay None when there is no usage to price; cost and what hangs on it, when there is no price.
        """
        usage, model = outcome.usage, outcome.upstream_model
        if usage is None or model is None:
            return
        price = self.price(catalogue, model, at)
        if price is not None:
            outcome.cost, outcome.price_version = price.cost(usage), price.version
        if self.selling.at_cost:
            outcome.charge = outcome.cost
            return
        terms = self.selling.find(catalogue, model, at, tenant, plan=plan)
        outcome.charge = terms.charge(outcome.cost, usage)
        if outcome.charge is not None:
            outcome.selling = terms.name
