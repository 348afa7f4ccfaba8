from __future__ import annotations

from gateway.testing.contracts import BillingContract
from gateway_budgets import Budgets


class TestBudgets(BillingContract):
    plugin = Budgets

    def config(self) -> dict[str, object]:
        return {"alerts": [90], "currencies": {"EUR": "1.1"}}
