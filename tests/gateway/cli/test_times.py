"""Times as people type them."""

import time

import click
import pytest

from gateway.cli.times import Duration, Moment, rfc3339, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1.5h", 5400), ("30d", 2_592_000), ("2w", 1_209_600), (" 1h ", 3600)],
)
def test_durations(text: str, seconds: float):
    assert seconds_of(text) == seconds
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "1 h", "1y", "2026-01-01"])
def test_what_is_no_duration(text: str):
    assert seconds_of(text) is None
    with pytest.raises(click.BadParameter, match="not a duration"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2100-01-01", 4_102_444_800),
        ("2100-01-01T00:00:00", 4_102_444_800),
        ("2100-01-01T00:00:00Z", 4_102_444_800),
        ("2100-01-01T02:00+02:00", 4_102_444_800),
    ],
)
def test_moments(text: str, moment: float):
    assert Moment(future=True).convert(text, None, None) == moment


def test_a_distance_leads_to_either_side_of_now():
    before = time.time()
    assert Moment(future=True).convert("1h", None, None) >= before + 3600
    assert Moment(future=False).convert("1h", None, None) <= time.time() - 3600


def test_the_past_is_no_future():
    with pytest.raises(click.BadParameter, match="in the past"):
        Moment(future=True).convert("2001-01-01", None, None)
    assert Moment(future=False).convert("2001-01-01", None, None) == 978_307_200
    with pytest.raises(click.BadParameter, match="not a time"):
        Moment(future=True).convert("tomorrow", None, None)


@pytest.mark.parametrize("text", ["99999999999d", "9999-12-31T23:59:59-12:00", f"{'9' * 400}s"])
def test_no_time_is_taken_that_could_not_be_printed(text: str):
    with pytest.raises(click.BadParameter, match="not within the years 1970 to 9999"):
        Moment(future=True).convert(text, None, None)


def test_distances_have_their_ends():
    with pytest.raises(click.BadParameter, match="in the past"):
        Moment(future=True).convert("0s", None, None)
    with pytest.raises(click.BadParameter, match="not within the years"):
        Moment(future=False).convert("99999999999d", None, None)
    with pytest.raises(click.BadParameter, match="longer than 100 years"):
        Duration().convert("36526d", None, None)
    assert Duration().convert("0s", None, None) == 0


def test_times_are_printed_in_utc():
    assert rfc3339(4_102_444_800.5) == "2100-01-01T00:00:00Z"
    assert rfc3339(None) is None
