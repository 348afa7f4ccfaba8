"""The numbers as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from gateway.types import NANO
from gateway_metrics.series import BUCKETS, Histogram, Snapshot, Tokens

_LABELS = ("capability", "model", "provider")


def render(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The page and its content type, in the format that the `accept` header prefers."""
    registry = CollectorRegistry()
    registry.register(_Numbers(snapshot))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Numbers(Collector):
    """One page's worth of metrics."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("gateway_calls", "Calls by how they ended.", labels=[*_LABELS, "status"])
        duration = HistogramMetricFamily(
            "gateway_call_duration_seconds", "From the request to the end of the answer.", labels=_LABELS
        )
        first_byte = HistogramMetricFamily(
            "gateway_first_byte_seconds", "From the request to the provider's first byte.", labels=_LABELS
        )
        tokens = CounterMetricFamily(
            "gateway_tokens",
            "Tokens; prompt includes the cached ones, completion the reasoning ones.",
            labels=[*_LABELS, "kind"],
        )
        cost = CounterMetricFamily(
            "gateway_cost", "Cost of calls with a known price, in the price book's currency.", labels=_LABELS
        )
        for series in self._snapshot.series:
            labels = series.labels
            for status, count in series.calls.items():
                calls.add_metric([*labels, status], count)
            _add(duration, labels, series.duration)
            if any(series.first_byte.counts):
                _add(first_byte, labels, series.first_byte)
            for kind in Tokens.__struct_fields__:
                if count := getattr(series.tokens, kind):
                    tokens.add_metric([*labels, kind], count)
            if series.cost:
                cost.add_metric(labels, series.cost / NANO)
        yield from (calls, duration, first_byte, tokens, cost)
        yield GaugeMetricFamily(
            "gateway_calls_in_flight", "Calls that run now.", value=self._snapshot.in_flight
        )


def _add(family: HistogramMetricFamily, labels: tuple[str, str, str], histogram: Histogram) -> None:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip(bounds, histogram.counts, strict=True):
        below += count
        buckets.append((bound, below))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.total)
