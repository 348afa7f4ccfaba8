from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gateway.testing.contracts import PluginContract
from gateway_stripe import StripeBilling


class TestStripe(PluginContract):
    plugin = StripeBilling
    kind: ClassVar[str] = "billing"

    def config(self) -> Mapping[str, Any]:
        return {
            "secret_key": "sk_test_fake_0123456789abcdef",
            "webhook_secrets": ["whsec_fake"],
            "api_base": "{upstream}",
            "plans": {"pro": {"price": "price_fake"}},
            "meter": {"event_name": "ai_usage"},
        }
