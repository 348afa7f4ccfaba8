"""Amounts as people read them."""

from __future__ import annotations

from gateway.types import NANO


def shown(nano: int) -> str:
    """Write an integer of 10⁻⁹ as a decimal number, exactly and without needless zeros: `12.5`."""
    whole, rest = divmod(abs(nano), NANO)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if nano < 0 else digits
