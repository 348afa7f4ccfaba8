"""Minor units of currencies, and rounding to them. Money is whole numbers: of minor units, or of 10⁻⁹ credit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

_DIGITS: Final = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
            *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217, list one: the currencies that do not have two. CLDR knows others, which are of cash and not of accounts."""


def digits_of(currency: str) -> int:
    """How many decimal places a currency has."""
    return _DIGITS.get(currency, 2)


def rounded(exact: Fraction) -> int:
    """The nearest whole number; a half goes away from zero, as is commercial use."""
    whole = (abs(exact.numerator) * 2 + exact.denominator) // (exact.denominator * 2)
    return -whole if exact < 0 else whole


def apportioned(exact: Sequence[Fraction], total: int) -> list[int]:
    """Round each amount so that together they are `total`, their rounded sum: each is off by less than one.

    The largest remainders are rounded up; of equal ones the first.
    """
    floors = [amount.numerator // amount.denominator for amount in exact]
    order = sorted(range(len(exact)), key=lambda place: floors[place] - exact[place])
    for place in order[: total - sum(floors)]:
        floors[place] += 1
    return floors


def minor_units(amount: Decimal, currency: str) -> int:
    """An amount of money in minor units. Raises ValueError when the currency has no such small ones."""
    scaled = Fraction(amount) * 10 ** digits_of(currency)
    if scaled.denominator != 1:
        raise ValueError(f"{currency} has {digits_of(currency)} decimal places, which {amount} does not fit")
    return scaled.numerator


def decimal(amount: int, currency: str) -> Decimal:
    """Minor units as an amount of money."""
    return Decimal(amount).scaleb(-digits_of(currency))
