"""However a subscription is changed, what is charged adds up to the second and to the smallest unit."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.types import NANO
from gateway_subscription.calendar import boundary, rest, share
from gateway_subscription.course import advanced, begun, changed, ended, may_change_at_once
from gateway_subscription.plans import Plan, Plans

START = int(datetime(2026, 1, 31, 9, 30, tzinfo=UTC).timestamp())
PLANS = Plans(
    {
        "small": Plan(name="Small", price=Decimal("9.99"), included=Decimal(10), trial_days=14, grace_days=7),
        "large": Plan(name="Large", price=Decimal("100.000000001"), included=Decimal("33.3")),
        "yearly": Plan(name="Yearly", price=Decimal(999), period="year", included=Decimal(1000)),
        "euro": Plan(name="Euro", price=Decimal(9), currency="EUR"),
    }
)
DAY = 86_400


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()[:16]


@given(st.integers(0, 10**17), st.lists(st.integers(START, START + 31 * DAY), max_size=20).map(sorted))
def test_parts_of_a_period_add_up_to_the_whole(amount: int, cuts: list[int]) -> None:
    end = START + 31 * DAY
    edges = [START, *cuts, end]
    shares = [share(amount, START, end, edge) for edge in edges]
    parts = [after - before for before, after in itertools.pairwise(shares)]
    assert sum(parts) == amount
    assert min(parts) >= 0
    assert all(share(amount, START, end, cut) + rest(amount, START, end, cut) == amount for cut in cuts)


def test_periods_keep_their_day() -> None:
    ends = [iso(boundary(START, "month", number)) for number in (1, 2, 3, 12)]
    assert ends == ["2026-02-28T09:30", "2026-03-31T09:30", "2026-04-30T09:30", "2027-01-31T09:30"]
    assert iso(boundary(START, "year", 2)) == "2028-01-31T09:30"


def test_a_trial_comes_first_and_costs_nothing() -> None:
    state, charges = begun("small", PLANS["small"], 3, START, trial=True)
    assert (state.status, state.included, [charge.amount for charge in charges]) == (
        "trialing",
        30 * NANO,
        [0],
    )
    state, charges = advanced(state, PLANS, START + 14 * DAY)
    assert (state.status, iso(state.period_start)) == ("active", "2026-02-14T09:30")
    assert [(charge.kind, charge.amount) for charge in charges] == [("period", 3 * 9_990_000_000)]


def test_another_plan_in_a_trial_brings_what_it_includes() -> None:
    state, _ = begun("small", PLANS["small"], 3, START, trial=True)
    state, (part,) = changed(state, "large", 1, PLANS, START + DAY)
    assert (state.status, state.included, part.kind, part.amount) == ("trialing", 33_300_000_000, "part", 0)
    assert (part.name, part.included) == ("Large", 3_300_000_000)
    state, (less,) = changed(state, "small", 1, PLANS, START + DAY)
    assert (state.included, less.included) == (10 * NANO, 0)


def test_a_subscription_goes_on_through_all_periods_that_were_missed() -> None:
    state, first = begun("small", PLANS["small"], 1, START, trial=False)
    state, charges = advanced(state, PLANS, START + 100 * DAY)
    periods = [(charge.start, charge.end) for charge in [*first, *charges]]
    assert [start for start, _ in periods[1:]] == [end for _, end in periods[:-1]]
    assert state.number == 3
    assert state.period_start <= START + 100 * DAY < state.period_end
    assert advanced(state, PLANS, START + 100 * DAY) == (state, [])


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 28 * DAY), st.sampled_from(["small", "large"]), st.integers(1, 5)),
        max_size=6,
    )
)
def test_changes_within_a_period_charge_each_second_once(changes: list[tuple[int, str, int]]) -> None:
    state, charges = begun("small", PLANS["small"], 1, START, trial=False)
    start, end = state.period_start, state.period_end
    expected = 0
    since, price = start, PLANS["small"].price_of(1)
    for after, plan, seats in sorted(changes):
        at = START + after
        state, more = changed(state, plan, seats, PLANS, at)
        charges += more
        expected += share(price, start, end, at) - share(price, start, end, since)
        since, price = at, PLANS[plan].price_of(seats)
    expected += rest(price, start, end, since)
    assert sum(charge.amount for charge in charges) == expected
    assert (state.period_start, state.period_end) == (start, end)


def test_more_begins_at_once_and_less_with_the_next_period() -> None:
    small, _ = begun("small", PLANS["small"], 2, START, trial=False)
    large, _ = begun("large", PLANS["large"], 2, START, trial=False)
    yearly, _ = begun("yearly", PLANS["yearly"], 2, START, trial=False)
    assert may_change_at_once(small, "large", 2, PLANS)
    assert may_change_at_once(small, "yearly", 1, PLANS)
    assert not may_change_at_once(small, "small", 1, PLANS)
    assert not may_change_at_once(large, "small", 2, PLANS)
    assert not may_change_at_once(small, "euro", 2, PLANS)
    assert not may_change_at_once(yearly, "large", 5, PLANS)


def test_a_year_begins_at_once_and_the_month_is_given_back() -> None:
    state, _ = begun("small", PLANS["small"], 1, START, trial=False)
    at = (state.period_start + state.period_end) // 2
    state, (unused, period) = changed(state, "yearly", 1, PLANS, at)
    assert (unused.kind, unused.amount) == ("unused", -4_995_000_000)
    assert (period.kind, period.amount, period.start) == ("period", 999 * NANO, at)
    assert iso(state.period_end)[:4] == "2027"


@pytest.mark.parametrize(
    ("given", "at", "status"),
    [
        ({"cancel_at_end": True}, 27, "active"),
        ({"cancel_at_end": True}, 28, "cancelled"),
        ({"status": "past_due", "grace_until": START + 7 * DAY}, 6, "past_due"),
        ({"status": "past_due", "grace_until": START + 7 * DAY}, 7, "expired"),
        ({"status": "past_due", "grace_until": START + 40 * DAY}, 30, "past_due"),
        ({"status": "past_due", "grace_until": START + 40 * DAY}, 40, "expired"),
        ({"next_plan": "large", "next_seats": 4}, 28, "active"),
    ],
)
def test_what_is_due_happens_when_it_is(given: dict[str, Any], at: int, status: str) -> None:
    state, _ = begun("small", PLANS["small"], 1, START, trial=False)
    state, charges = advanced(replace(state, **given), PLANS, START + at * DAY)
    assert state.status == status
    if "next_plan" in given:
        assert (state.plan, state.seats, state.next_plan) == ("large", 4, None)
        assert [charge.amount for charge in charges] == [4 * 100_000_000_001]


def test_who_cancels_at_once_gets_the_rest_back() -> None:
    state, _ = begun("small", PLANS["small"], 1, START, trial=False)
    state, (unused,) = ended(state, PLANS, state.period_end - 1)
    assert (state.status, state.served) == ("cancelled", False)
    assert -unused.amount == rest(PLANS["small"].price_of(1), START, unused.end, unused.start) > 0


def test_what_was_paid_is_given_back_whatever_the_plan_costs_by_now() -> None:
    state, (paid,) = begun("small", PLANS["small"], 1, START, trial=False)
    dearer = Plans({**PLANS.by_id, "small": PLANS["small"].model_copy(update={"price": Decimal(20)})})
    assert ended(state, dearer, START)[1][0].amount == -paid.amount
    half = (state.period_start + state.period_end) // 2
    assert may_change_at_once(state, "small", 1, dearer)
    cheaper = Plans({**PLANS.by_id, "small": PLANS["small"].model_copy(update={"price": Decimal(9)})})
    assert not may_change_at_once(state, "small", 1, cheaper)
    more, (unused, part) = changed(state, "small", 2, dearer, half)
    assert (unused.amount * 2, part.amount * 2) == (-paid.amount, 40 * NANO)
    assert ended(more, PLANS, half)[1][0].amount == -part.amount


@pytest.mark.parametrize(("now", "seats", "much"), [("50", 2, 55), ("4", 3, 11), ("4", 2, None)])
def test_what_was_included_goes_on_for_what_was_paid_whatever_the_plan_includes_by_now(
    now: str, seats: int, much: int | None
) -> None:
    """Half of the period includes 10, and half of it what so many seats do now; less does not begin at once."""
    state, charges = begun("small", PLANS["small"], 1, START, trial=False)
    other = Plans({**PLANS.by_id, "small": PLANS["small"].model_copy(update={"included": Decimal(now)})})
    assert may_change_at_once(state, "small", seats, other) is (much is not None)
    if much is None:
        return
    half = (state.period_start + state.period_end) // 2
    state, parts = changed(state, "small", seats, other, half)
    assert state.included == sum(each.included for each in [*charges, *parts]) == much * NANO


def test_a_trial_gives_no_more_by_changing_there_and_back() -> None:
    state, charges = begun("small", PLANS["small"], 1, START, trial=True)
    for name in ("large", "small", "euro", "small", "large"):  # euro is not limited
        state, parts = changed(state, name, 1, PLANS, START + DAY)
        charges += parts
    assert sum(each.included for each in charges) == PLANS["large"].included_of(1)
