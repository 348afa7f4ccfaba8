"""Shares a sum of charges out over what was paid for: quantities, rates, and whole numbers that add up to the sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalogue import Price
from gateway.catalogue.lines import lines_of
from gateway.doors import Charged
from gateway.types import Usage

_FEES: Final = frozenset({"searches", "file_searches", "containers"})
"""What no batch makes cheaper."""
_ORDER: Final = (
    "input_tokens",
    "audio_prompt_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "output_tokens",
    "audio_completion_tokens",
    "reasoning_tokens",
)


class Way(Struct, frozen=True, kw_only=True):
    """How charges were made: by a price in credits, or by one in money whose cost is multiplied."""

    price: Price
    factor: Fraction
    since: float
    until: float
    """Unix seconds; the first moment at which it no longer holds."""


class Pile(Struct, kw_only=True):
    """Calls that were charged in the same way, added up."""

    provider: str
    model: str
    calls: int = 0
    charge: int = 0
    slack: Fraction = Fraction(0)
    """By how much the rounding of each call may have changed the sum, in 10⁻⁹ credit."""
    by: dict[tuple[str, str, Fraction, int], Decimal]
    """Quantities by unit, detail, rate in 10⁻⁹ credit, and how many the rate is for."""

    def add(self, way: Way, usage: Usage, *, calls: int, prompted: int, charge: int, tier: str = "") -> None:
        """Add calls by the sum of their usage; `prompted` of them had a prompt, all of them of the tier `tier`."""
        self.calls += calls
        self.charge += charge
        self.slack += calls * (way.factor + 1) / 2
        batch = min(max(0, usage.batch_percent), 100)
        for line in lines_of(way.price, usage):
            if not line.rate or line.quantity is None:
                continue
            less = batch if line.unit not in _FEES else 0
            rate = line.rate * way.factor * Fraction(100 - less, 100)
            detail = " ".join(filter(None, (tier or line.detail, "batch" if less else "")))
            quantity = Decimal(prompted) if line.unit == "requests" else Decimal(str(line.quantity))
            key = line.unit, detail, rate, line.per
            self.by[key] = self.by.get(key, Decimal(0)) + quantity

    def told(self) -> list[Charged] | None:
        """The sum by what was paid for; None when the rates do not lead to it."""
        exact = {key: Fraction(quantity) * key[2] / key[3] for key, quantity in self.by.items()}
        whole = sum(exact.values(), Fraction(0))
        if not whole or abs(whole - self.charge) > self.slack:
            return None
        shares = apportioned(
            {key: amount * self.charge / whole for key, amount in exact.items()}, self.charge
        )
        return [
            Charged(
                provider=self.provider,
                model=self.model,
                unit=unit,
                detail=detail,
                quantity=self.by[unit, detail, rate, per],
                rate=rate,
                per=per,
                charge=share,
                calls=0 if place else self.calls,
            )
            for place, ((unit, detail, rate, per), share) in enumerate(shares.items())
        ]


def apportioned(
    exact: Mapping[tuple[str, str, Fraction, int], Fraction], total: int
) -> dict[tuple[str, str, Fraction, int], int]:
    """Whole numbers that add up to `total`, as the exact amounts do: each is off by less than one."""
    floors = {key: amount.numerator // amount.denominator for key, amount in exact.items()}
    rest = sorted(exact, key=lambda key: floors[key] - exact[key])
    for key in rest[: total - sum(floors.values())]:
        floors[key] += 1
    return floors


def merged(found: Iterable[Charged]) -> list[Charged]:
    """One row for each provider, model, unit, detail and rate, in an order that does not change."""
    rows: dict[tuple[object, ...], Charged] = {}
    for one in found:
        key = one.provider, one.model, one.unit, one.detail, one.rate, one.per
        before = rows.get(key)
        if before is None:
            rows[key] = one
            continue
        uses = {
            name: before.uses.get(name, Decimal(0)) + one.uses.get(name, Decimal(0))
            for name in {**before.uses, **one.uses}
        }
        rows[key] = replace(
            before,
            quantity=before.quantity + one.quantity,
            charge=before.charge + one.charge,
            calls=before.calls + one.calls,
            uses=uses,
        )
    return sorted(rows.values(), key=_order)


def _order(one: Charged) -> tuple[object, ...]:
    place = _ORDER.index(one.unit) if one.unit in _ORDER else len(_ORDER)
    return one.provider, one.model, one.rate is None, place, one.unit, one.detail, one.rate or 0
