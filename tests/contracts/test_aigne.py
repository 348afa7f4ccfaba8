from __future__ import annotations

from gateway.testing.contracts import PluginContract
from gateway_aigne import Aigne


class TestAigne(PluginContract):
    plugin = Aigne

    def config(self) -> dict[str, object]:
        return {"prefix": "/ai-kit"}
