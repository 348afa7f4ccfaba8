"""A provider's usage export in the words of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.types import NANO, Capability

DAY: Final = 86_400
_LATEST: Final = 253_402_300_800
"""The end of the year 9999, Unix seconds."""


class Line(Struct, frozen=True, kw_only=True):
    """What an export says of one model, or of one request."""

    model: str | None
    """None where the export does not tell models apart."""
    values: Mapping[str, int]
    """By the columns of the ledger; the cost in 10⁻⁹ of the price book's currency."""
    request: str | None = None


class Bucket(Struct, frozen=True, kw_only=True):
    """A span of time, within one day of UTC, for which an export tells everything."""

    start: float
    """Unix seconds."""
    end: float
    """The first moment that does not belong to it."""
    lines: Sequence[Line]


class Export(Struct, frozen=True, kw_only=True):
    """What one kind of report says."""

    kind: str
    """For people, as `usage of completions`."""
    measures: Sequence[str]
    """What it tells of each line."""
    capabilities: Sequence[Capability] | None
    """Of which calls alone it tells; None for all."""
    buckets: Sequence[Bucket]
    by_request: bool = False


def day_of(moment: float) -> str:
    """The day in UTC, as `2026-12-31`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def check_moment(where: str, moment: float) -> float:
    """Give a time back. Raises `GatewayError` for what no calendar has, as milliseconds taken for seconds."""
    if not 0 <= moment < _LATEST:
        raise GatewayError(
            f"{where}: the time {moment:.0f} is not between the years 1970 and 9999: Unix times are in seconds."
        )
    return moment


def check_span(where: str, start: float, end: float) -> None:
    """Raise `GatewayError` for a bucket that a day cannot hold."""
    check_moment(where, start)
    if end <= start or start // DAY != (end - 1) // DAY:
        raise GatewayError(
            f"{where}: a bucket goes from {start:.0f} to {end:.0f}; export days of UTC, or parts of them."
        )


def nano(where: str, amount: Decimal, currency: str = "USD") -> int:
    """Money as the ledger counts it. Raises `GatewayError` for another currency, and what is no amount."""
    if currency.upper() != "USD":
        raise GatewayError(
            f"{where}: amounts are in {currency}, but the price book and the ledger count USD."
        )
    if not amount.is_finite():
        raise GatewayError(f"{where}: {amount} is no amount of money.")
    return round(amount * NANO)
