"""Prometheus metrics of the calls: `middleware.metrics`."""

from gateway_metrics.plugin import Metrics

__all__ = ["Metrics"]
