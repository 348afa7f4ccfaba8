"""Ids are unique and sort by time."""

from __future__ import annotations

from gateway.ids import Ids


def test_ids_are_unique_and_in_order() -> None:
    make = Ids()
    ids = [make() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert {len(i) for i in ids} == {28}


def test_two_makers_do_not_meet() -> None:
    one, other = Ids(), Ids()
    assert not {one() for _ in range(1000)} & {other() for _ in range(1000)}
