from __future__ import annotations

from gateway.testing.contracts import PluginContract
from gateway_console import Console


class TestConsole(PluginContract):
    plugin = Console
