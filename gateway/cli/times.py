"""Times as people type them: `30d`, `10m`, `2026-12-31`, `2026-12-31T18:00:00Z`."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LAST = 253_402_300_799
"""The end of the year 9999, after which no time can be written."""
_LONGEST = 36_525 * 86_400
_DURATION = re.compile(r"(?P<count>\d+(?:\.\d+)?)(?P<unit>[smhdw])")


def seconds_of(text: str) -> float | None:
    """The seconds of `90s`, `10m`, `1h`, `30d` or `2w`; None when the text is no duration."""
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else float(match["count"]) * _UNITS[match["unit"]]


def rfc3339(moment: float | None) -> str | None:
    """Unix seconds as `2026-11-21T10:00:00Z`; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Duration(click.ParamType[float]):
    """A span of time, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a duration: write it as 90s, 10m, 1h, 30d or 2w", param, ctx)
        if seconds > _LONGEST:
            self.fail(f"{value!r} is longer than 100 years", param, ctx)
        return seconds


class Moment(click.ParamType[float]):
    """A point in time, in Unix seconds: a date, a date and time (UTC unless it says otherwise), or a distance from now."""

    name = "time"

    def __init__(self, *, future: bool) -> None:
        self._future = future
        """Whether it must lie in the future, and distances lead there; otherwise they lead into the past."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        text, now = str(value), time.time()
        if (seconds := seconds_of(text)) is not None:
            result = now + seconds if self._future else now - seconds
        else:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                self.fail(
                    f"{text!r} is not a time: write it as 30d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z",
                    param,
                    ctx,
                )
            result = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if not 0 <= result <= _LAST:
            self.fail(f"{text!r} is not within the years 1970 to 9999", param, ctx)
        if self._future and result <= time.time():
            self.fail(f"{text!r} is in the past", param, ctx)
        return result
