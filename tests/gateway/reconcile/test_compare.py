"""Names and tolerances, by which figures are compared."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.reconcile.compare import Tolerance, added, stems


def test_versions_count_as_the_model_that_was_asked_for() -> None:
    assert stems({"m", "m-2026-01-31", "m-20260131"}) == {"m": "m", "m-2026-01-31": "m", "m-20260131": "m"}
    assert stems({"c-latest", "c-20260131"}) == {"c-latest": "c", "c-20260131": "c"}


def test_versions_that_were_asked_for_stay_apart() -> None:
    names = {"m-2026-01-31", "m-2026-06-30", "n"}
    assert stems(names) == {name: name for name in names}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xy"), st.integers(0, 10**18)))
    )
)
def test_nothing_is_lost_in_sums(lines: list[tuple[str, dict[str, int]]]) -> None:
    sums = added(lines)
    for measure in "xy":
        whole = sum(values.get(measure, 0) for _, values in lines)
        assert sum(values.get(measure, 0) for values in sums.values()) == whole


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_without_tolerance_every_difference_is_beyond_it(ledger: int, provider: int) -> None:
    assert Tolerance().beyond(ledger, provider) == (ledger != provider)


def test_a_tolerance_is_a_share_of_what_the_provider_says() -> None:
    one = Tolerance(Decimal(1))
    assert not one.beyond(101, 100)
    assert one.beyond(102, 100)
    assert one.beyond(1, 0)
