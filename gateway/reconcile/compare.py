"""Compares figures: pure, without a database."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

_VERSION: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
"""What providers put behind the name of a model to say which of its versions it is."""


class Difference(Struct, frozen=True, kw_only=True):
    """A figure on which the ledger and the provider do not agree."""

    kind: str
    """Of the export."""
    day: str
    """In UTC, as `2026-12-31`."""
    model: str
    """`*` where the export does not tell models apart."""
    measure: str
    ledger: int
    provider: int
    beyond: bool
    """Whether it is beyond the tolerance."""
    request: str | None = None
    calls: tuple[str, ...] = ()
    """Ids of the calls that most likely differ; of a request, its own."""

    @property
    def difference(self) -> int:
        """How much more the provider says."""
        return self.provider - self.ledger


class Tolerance(Struct, frozen=True):
    """By how much of the provider's figure the ledger's may differ."""

    percent: Decimal = Decimal(0)

    def beyond(self, ledger: int, provider: int) -> bool:
        """Whether two figures differ by more."""
        return abs(provider - ledger) * 100 > self.percent * abs(provider)


def stems(names: Collection[str]) -> Mapping[str, str]:
    """By which name each of these is compared.

    A provider tells of versions (`m-2026-01-31`) where the caller asked for the model (`m`). Where the plain name
    stands among the names, all its versions count as the plain name; where it does not, they stay apart.
    """
    found: dict[str, str] = {}
    for name in names:
        stem = _VERSION.sub("", name)
        latest = f"{stem}-latest"
        found[name] = stem if stem in names or latest in names else name
    return found


def added(lines: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Sums by name."""
    sums: dict[str, dict[str, int]] = {}
    for name, values in lines:
        total = sums.setdefault(name, {})
        for measure, value in values.items():
            total[measure] = total.get(measure, 0) + value
    return sums
