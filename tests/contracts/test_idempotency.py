from __future__ import annotations

from gateway.testing.contracts import PluginContract
from gateway_idempotency import Idempotency


class TestIdempotency(PluginContract):
    plugin = Idempotency
    kind = "middleware"

    def config(self) -> dict[str, object]:
        return {"hours": 1}
