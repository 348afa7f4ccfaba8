from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.testing.contracts import PluginContract
from gateway_invoices import Invoices


class TestInvoices(PluginContract):
    plugin = Invoices
    kind: ClassVar[str] = "billing"

    def config(self) -> Mapping[str, Any]:
        return {"entities": {"main": {"name": "Example", "address": ["1 Example Road"], "country": "DE"}}}
