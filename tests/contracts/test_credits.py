from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.testing.contracts import BillingContract
from gateway_credits import Credits


class TestCredits(BillingContract):
    plugin = Credits

    def config(self) -> Mapping[str, Any]:
        return {"welcome": "1"}

    def refusing(self) -> Mapping[str, Any]:
        return {"welcome": "0"}
