"""How prices differ from those of another, newer book: what became dearer or cheaper, and what is sold below its cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from gateway.catalogue.catalogue import ModelCatalogue
from gateway.catalogue.price import Price

Selling: TypeAlias = Callable[[str, str, Price], Mapping[str, Decimal]]
"""What is asked for a model of a provider that costs so much: rates by name, in the currency."""


class Drift(Struct, frozen=True, kw_only=True):
    """One rate that differs."""

    provider: str
    model: str
    rate: str
    """As price files name it."""
    ours: Decimal | None
    """None where our book does not have it."""
    newer: Decimal | None
    """None where the newer book does not have it."""
    percent: Decimal | None
    """By how much the newer one is higher; None where either is missing or ours is nothing."""
    asked: Decimal | None
    """What callers are asked."""
    below_cost: bool
    """Whether callers are asked less than the newer book says that it costs."""


def drift(
    ours: ModelCatalogue,
    newer: Mapping[str, Mapping[str, tuple[Price, ...]]],
    selling: Selling,
    *,
    at: float,
    threshold: Decimal = Decimal(0),
) -> Iterator[Drift]:
    """Compare the rates that hold at `at` (Unix seconds), model by model of the newer book.

    Told are those that differ by more than `threshold` percent, those that only one book has, and all below cost.
    """
    for provider, models in newer.items():
        for model, periods in models.items():
            theirs = next((one for one in periods if one.valid_from <= at < one.valid_until), None)
            known = ours.find(provider, model)
            price = None if known is None else known.price(at)
            if theirs is None:
                continue
            asked: Mapping[str, Decimal] = {} if price is None else selling(provider, model, price)
            before, after = _rates(price), _rates(theirs)
            for rate in dict.fromkeys((*before, *after)):
                found = _compared(
                    provider, model, rate, _at(before, rate), _at(after, rate), _at(asked, rate)
                )
                missing = found.ours is None or found.newer is None
                far = found.percent is not None and abs(found.percent) > threshold
                if (
                    missing
                    or far
                    or (found.percent is None and found.ours != found.newer)
                    or found.below_cost
                ):
                    yield found


def _compared(
    provider: str, model: str, rate: str, ours: Decimal | None, newer: Decimal | None, asked: Decimal | None
) -> Drift:
    return Drift(
        provider=provider,
        model=model,
        rate=rate,
        ours=ours,
        newer=newer,
        percent=round((newer - ours) / ours * 100, 2) if ours and newer is not None else None,
        asked=asked,
        below_cost=asked is not None and newer is not None and asked < newer,
    )


def _rates(price: Price | None) -> dict[str, Decimal]:
    if price is None:
        return {}
    found = price.amounts()
    if price.long is not None:
        found |= {f"long {name}": rate for name, rate in price.long.amounts().items()}
    return found


def _at(rates: Mapping[str, Decimal], name: str) -> Decimal | None:
    """A rate; what is cached costs what other input does, where nothing else is said."""
    return rates.get(name, rates.get("input") if name in {"cached_read", "cached_write"} else None)
