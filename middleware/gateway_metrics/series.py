"""What is counted: plain numbers per capability, model and provider, which add up over processes."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter, sub
from typing import TypeAlias

import msgspec
from msgspec import Struct

from gateway.types import Call, Outcome, Usage

BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds in seconds: from a gateway that refuses at once to an answer of many minutes."""

MAX_SERIES = 1000
"""Distinct sets of labels; calls of further models are counted under the model `other`."""

MAX_NOTED = 500
"""Ends of calls that are kept until they are added up together."""

OTHER = "other"
NOBODY = "none"
_LONGEST_MODEL = 100


End: TypeAlias = tuple[float, float, float | None, Usage | None, int | None]
"""When a call was received, when it ended, when its first byte came (Unix seconds); what it used and cost."""


class Histogram(Struct):
    """How often values fell between the bounds, and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, values: Iterable[float]) -> None:
        """Count values: sorted, they fall into the buckets together."""
        ordered = sorted(values)
        below = 0
        for index, bound in enumerate(BUCKETS):
            upto = bisect_right(ordered, bound, below)
            self.counts[index] += upto - below
            below = upto
        self.counts[-1] += len(ordered) - below
        self.total += sum(ordered)

    def add(self, other: Histogram) -> None:
        """Count what the other one counted."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class Tokens(Struct):
    """Tokens by kind. Prompt tokens include the cached ones, completion tokens the reasoning ones."""

    prompt: int = 0
    completion: int = 0
    cached_read: int = 0
    cached_write: int = 0
    reasoning: int = 0


class Series(Struct):
    """The numbers of one set of labels."""

    capability: str
    model: str
    provider: str
    calls: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """By final status."""
    duration: Histogram = msgspec.field(default_factory=Histogram)
    first_byte: Histogram = msgspec.field(default_factory=Histogram)
    tokens: Tokens = msgspec.field(default_factory=Tokens)
    cost: int = 0
    """In 10⁻⁹ of the price book's currency."""

    @property
    def labels(self) -> tuple[str, str, str]:
        """What tells it from the others."""
        return self.capability, self.model, self.provider

    def count(self, status: str, ends: Sequence[End]) -> None:
        """Count calls that ended with the same status."""
        received, ended, first_bytes, used, costs = zip(*ends, strict=True)
        self.calls[status] = self.calls.get(status, 0) + len(ends)
        self.duration.observe(map(sub, ended, received))
        self.first_byte.observe(
            first - begin for first, begin in zip(first_bytes, received, strict=True) if first is not None
        )
        usages = [usage for usage in used if usage is not None]
        for kind in Tokens.__struct_fields__:
            taken = sum(map(attrgetter(f"{kind}_tokens"), usages))
            setattr(self.tokens, kind, getattr(self.tokens, kind) + taken)
        self.cost += sum(filter(None, costs))

    def add(self, other: Series) -> None:
        """Count what the other one counted."""
        for status, count in other.calls.items():
            self.calls[status] = self.calls.get(status, 0) + count
        self.duration.add(other.duration)
        self.first_byte.add(other.first_byte)
        for kind in Tokens.__struct_fields__:
            setattr(self.tokens, kind, getattr(self.tokens, kind) + getattr(other.tokens, kind))
        self.cost += other.cost


class Snapshot(Struct):
    """The numbers of one process at one moment."""

    pid: int
    in_flight: int
    series: list[Series]


class Book:
    """Counts the calls of one process: how each ended is noted, and added up for many together."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], Series] = {}
        self._ends: defaultdict[tuple[str, str, str, str], list[End]] = defaultdict(list)
        """By labels and status; what is not yet in the series."""
        self._noted = 0
        self._running: set[str] = set()
        self._encoder = msgspec.msgpack.Encoder()

    def begin(self, call: Call) -> None:
        """Count a call as in flight."""
        self._running.add(call.id)

    def finish(self, call: Call, outcome: Outcome) -> None:
        """Note how a call ended."""
        self._running.discard(call.id)
        # Only what reached a provider gets a label of its own; a client can invent any number of other names.
        model = call.model[:_LONGEST_MODEL] if outcome.attempts else OTHER
        self._ends[call.capability, model, outcome.provider or NOBODY, outcome.status].append(
            (call.received_at, outcome.ended_at, outcome.first_byte_at, outcome.usage, outcome.cost)
        )
        self._noted += 1
        if self._noted == MAX_NOTED:
            self._add_up()

    def snapshot(self) -> bytes:
        """The numbers as they are now, in a form that `merge` reads."""
        self._add_up()
        return self._encoder.encode(Snapshot(os.getpid(), len(self._running), list(self._series.values())))

    def _add_up(self) -> None:
        """Bring the series up to date."""
        for (*labels, status), ends in self._ends.items():
            self._of(*labels).count(status, ends)
        self._ends.clear()
        self._noted = 0

    def _of(self, capability: str, model: str, provider: str) -> Series:
        labels = (capability, model, provider)
        if labels not in self._series and len(self._series) >= MAX_SERIES:
            labels = (capability, OTHER, provider)
        return self._series.setdefault(labels, Series(*labels))


def merge(snapshots: Iterable[bytes]) -> Snapshot:
    """Add up the snapshots of several processes. A dead process has no call in flight, whatever it last said."""
    decoder = msgspec.msgpack.Decoder(Snapshot)
    merged: dict[tuple[str, str, str], Series] = {}
    in_flight = 0
    for snapshot in map(decoder.decode, snapshots):
        if snapshot.in_flight and _alive(snapshot.pid):
            in_flight += snapshot.in_flight
        for series in snapshot.series:
            present = merged.setdefault(series.labels, series)
            if present is not series:
                present.add(series)
    return Snapshot(0, in_flight, list(merged.values()))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
