from __future__ import annotations

from gateway.testing.contracts import BillingContract
from gateway_subscription import Subscription


class TestSubscription(BillingContract):
    plugin = Subscription

    def config(self) -> dict[str, object]:
        return {"exempt": ["default"], "plans": {"team": {"name": "Team", "price": "49"}}}

    def refusing(self) -> dict[str, object]:
        return {}
