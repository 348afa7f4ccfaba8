from __future__ import annotations

from gateway.testing.contracts import PluginContract
from gateway_receipts import Receipts


class TestReceipts(PluginContract):
    plugin = Receipts

    def config(self) -> dict[str, object]:
        return {"key": "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"}
