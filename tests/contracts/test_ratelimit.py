from __future__ import annotations

from gateway.testing.contracts import InterceptorContract
from gateway_ratelimit import RateLimit


class TestRateLimit(InterceptorContract):
    plugin = RateLimit

    def config(self) -> dict[str, object]:
        return {"requests_per_minute": 1000, "tokens_per_minute": 100_000}
