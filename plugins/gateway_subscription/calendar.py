"""Periods of subscriptions and parts of them, exact to the second and to the smallest unit."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from typing import Final, Literal

_MONTHS: Final = {"month": 1, "year": 12}
_YEAR: Final = 12


def boundary(anchor: int, period: Literal["month", "year"], number: int) -> int:
    """When the period of that number begins, counted from the one that begins at `anchor` (Unix seconds).

    On the day of the month on which it all began, or on the last one where the month is shorter.
    """
    first = datetime.fromtimestamp(anchor, UTC)
    months = first.month - 1 + number * _MONTHS[period]
    year, month = first.year + months // _YEAR, months % _YEAR + 1
    day = min(first.day, monthrange(year, month)[1])
    return int(first.replace(year=year, month=month, day=day).timestamp())


def share(amount: int, start: int, end: int, at: int) -> int:
    """How much of an amount for `start` to `end` belongs to the time before `at`, rounded down.

    The parts of a period are differences of such shares, so however often it is cut they add up to the whole.
    """
    return amount * (min(max(at, start), end) - start) // (end - start)


def rest(amount: int, start: int, end: int, at: int) -> int:
    """How much belongs to the time from `at` on."""
    return amount - share(amount, start, end, at)
