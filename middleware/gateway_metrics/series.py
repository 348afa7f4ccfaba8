"""What is counted: plain numbers per capability, model and provider, which add up over processes."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from gateway.types import Call, Outcome

BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds in seconds: from a gateway that refuses at once to an answer of many minutes."""

MAX_SERIES = 1000
"""Distinct sets of labels; calls of further models are counted under the model `other`."""

OTHER = "other"
NOBODY = "none"
_LONGEST_MODEL = 100


class Histogram(Struct):
    """How often values fell between the bounds, and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

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
    """Counts the calls of one process."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], Series] = {}
        self._running: set[str] = set()
        self._encoder = msgspec.msgpack.Encoder()

    def begin(self, call: Call) -> None:
        """Count a call as in flight."""
        self._running.add(call.id)

    def finish(self, call: Call, outcome: Outcome) -> None:
        """Count how a call ended."""
        self._running.discard(call.id)
        # Only what reached a provider gets a label of its own; a client can invent any number of other names.
        model = call.model[:_LONGEST_MODEL] if outcome.attempts else OTHER
        labels = (call.capability, model, outcome.provider or NOBODY)
        series = self._series.get(labels)
        if series is None:
            series = self._new(labels)
        status = outcome.status
        series.calls[status] = series.calls.get(status, 0) + 1
        series.duration.observe(outcome.ended_at - call.received_at)
        if outcome.first_byte_at is not None:
            series.first_byte.observe(outcome.first_byte_at - call.received_at)
        if (usage := outcome.usage) is not None:
            tokens = series.tokens
            tokens.prompt += usage.prompt_tokens
            tokens.completion += usage.completion_tokens
            if usage.cached_read_tokens or usage.cached_write_tokens or usage.reasoning_tokens:
                tokens.cached_read += usage.cached_read_tokens
                tokens.cached_write += usage.cached_write_tokens
                tokens.reasoning += usage.reasoning_tokens
        if outcome.cost:
            series.cost += outcome.cost

    def snapshot(self) -> bytes:
        """The numbers as they are now, in a form that `merge` reads."""
        return self._encoder.encode(Snapshot(os.getpid(), len(self._running), list(self._series.values())))

    def _new(self, labels: tuple[str, str, str]) -> Series:
        if len(self._series) >= MAX_SERIES:
            labels = (labels[0], OTHER, labels[2])
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
