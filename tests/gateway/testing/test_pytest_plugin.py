from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from gateway.testing.fakes import FAKE_ANSWER, FakeProvider, plugin_with
from gateway.testing.pytest_plugin import ClientFactory, GatewayFactory

CHAT = {"model": "fake/good", "messages": [{"role": "user", "content": "Hello?"}]}
CONFIG: dict[str, Any] = {"provider": {"fake": {}}}


async def test_gateway_factory_starts_and_stops(gateway_factory: GatewayFactory, tmp_path: Path) -> None:
    fake = plugin_with("provider.fake", register_providers=[FakeProvider()])
    async with gateway_factory(CONFIG, [fake]) as gateway, gateway.client as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
    assert (tmp_path / "gateway.db").exists()


def test_gateway_client_needs_no_async_test(gateway_client: ClientFactory) -> None:
    fake = plugin_with("provider.fake", register_providers=[FakeProvider()])
    client = gateway_client(CONFIG, [fake])
    answer = client.post("/v1/chat/completions", json=CHAT).json()
    assert answer["choices"][0]["message"]["content"] == FAKE_ANSWER


def test_a_config_may_name_its_own_database(gateway_client: ClientFactory, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "gateway": {"database": f"sqlite:///{tmp_path / 'mine.db'}"},
        "provider": {"mock": {}},
    }
    assert gateway_client(config).get("/healthz").status_code == 200
    assert (tmp_path / "mine.db").exists()


def test_the_plugin_imports_lazily() -> None:
    """Pytest imports it before coverage measures anything."""
    program = (
        "import sys, gateway.testing.pytest_plugin\n"
        "print(*sorted(name for name in sys.modules if name.startswith('gateway')))"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.split() == [
        "gateway",
        "gateway.testing",
        "gateway.testing.pytest_plugin",
        "gateway.version",
    ]
