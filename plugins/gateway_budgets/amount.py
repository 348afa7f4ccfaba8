"""Amounts as people write them, and as they are counted: integers of 10⁻⁹ credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gateway.errors import InvalidRequest
from gateway.types import NANO

LARGEST: Final = 10**17
"""As much as the ledger notes for a call."""


def nano_of(credit: Decimal) -> int:
    """Turn credits into integers of 10⁻⁹. Raises `InvalidRequest` for what is not more than 0, or cannot be counted."""
    whole = int(credit * NANO) if credit.is_finite() and abs(credit) <= LARGEST // NANO else 0
    if whole <= 0 or whole != credit * NANO:
        raise InvalidRequest(
            f"The amount of a budget is more than 0 and at most {LARGEST // NANO} credits, with at most 9 decimals.",
            param="amount",
        )
    return whole


def shown(nano: int) -> str:
    """Write 10⁻⁹ credit as credits, exactly and without needless zeros: `12.5`."""
    whole, rest = divmod(abs(nano), NANO)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if nano < 0 else digits
