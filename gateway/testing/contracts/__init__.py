"""Suites for plugins of each kind: subclass one in a test module, name your plugin, and pytest runs the whole of it.

    class TestAcme(ProviderContract):
        plugin = Acme

        def config(self):
            return {"base_url": "{upstream}/v1", "api_key": "not-a-real-key"}

Needs `asgi-gateway[testing]` and nothing else; the tests bring their own event loop.
"""

from __future__ import annotations

from gateway.testing.contracts.auth import AuthContract
from gateway.testing.contracts.billing import BillingContract
from gateway.testing.contracts.interceptor import InterceptorContract
from gateway.testing.contracts.plugin import PluginContract
from gateway.testing.contracts.provider import ProviderContract
from gateway.testing.contracts.sink import SinkContract

__all__ = [
    "AuthContract",
    "BillingContract",
    "InterceptorContract",
    "PluginContract",
    "ProviderContract",
    "SinkContract",
]
