from __future__ import annotations

from gateway.testing.contracts import InterceptorContract
from gateway_metrics import Metrics


class TestMetrics(InterceptorContract):
    plugin = Metrics

    def config(self) -> dict[str, object]:
        return {"token": "not-a-real-token"}
