"""Periods: days, weeks from Monday on and months of the calendar of a time zone, or all of time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import InvalidRequest

Span: TypeAlias = Literal["day", "week", "month", "total"]

_END_OF_TIME: Final = 2**62


class Period(NamedTuple):
    """From `start` on, to before `end`: Unix seconds."""

    start: int
    end: int


ALL_OF_TIME: Final = Period(0, _END_OF_TIME)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises `InvalidRequest`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is that of a folder
        raise InvalidRequest(
            f"There is no time zone {name!r}; they are called as Europe/Berlin or UTC.", param="time_zone"
        ) from None


def period_at(span: Span, zone: ZoneInfo, at: float) -> Period:
    """The period that a moment (Unix seconds) lies in."""
    if span == "total":
        return ALL_OF_TIME
    day = datetime.fromtimestamp(at, zone).date()
    if span == "day":
        first, after = day, day + timedelta(days=1)
    elif span == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return Period(_midnight(first, zone), _midnight(after, zone))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())
