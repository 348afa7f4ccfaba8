"""Periods cover all of time without gaps, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway_budgets.period import Span, period_at, zone_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu", "Pacific/Chatham")
SPANS: tuple[Span, ...] = get_args(Span)


@settings(max_examples=60)
@given(
    st.sampled_from(SPANS), st.sampled_from(ZONES), st.floats(1_600_000_000, 2_500_000_000, allow_nan=False)
)
def test_every_moment_lies_in_one_period(span: Span, zone: str, at: float) -> None:
    period = period_at(span, ZoneInfo(zone), at)
    assert period.start <= at < period.end
    assert period_at(span, ZoneInfo(zone), period.start) == period
    if span != "total":
        assert period_at(span, ZoneInfo(zone), period.end - 1) == period
        assert period_at(span, ZoneInfo(zone), period.end).start == period.end


@pytest.mark.parametrize(
    ("span", "zone", "start", "end"),
    [
        ("day", "UTC", "2026-03-29T00:00Z", "2026-03-30T00:00Z"),
        ("day", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # an hour shorter
        ("week", "UTC", "2026-03-23T00:00Z", "2026-03-30T00:00Z"),
        ("month", "Asia/Tokyo", "2026-02-28T15:00Z", "2026-03-31T15:00Z"),
    ],
)
def test_periods_are_those_of_the_calendar(span: Span, zone: str, start: str, end: str) -> None:
    at = datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp()
    period = period_at(span, ZoneInfo(zone), at)
    assert [datetime.fromtimestamp(each, UTC) for each in period] == [
        datetime.fromisoformat(each) for each in (start, end)
    ]


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../etc", "Europe"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="no time zone"):
        zone_of(name)
