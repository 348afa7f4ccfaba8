"""Every plugins.toml among the examples can be used as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import Gateway
from gateway.config import Config
from gateway.plugin import Context
from gateway.registry import Registry
from gateway.store import Database
from gateway.upstream import Client

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIGS = sorted(EXAMPLES.glob("*/plugins.toml"))
VARIABLES = {
    "DATABASE_URL": "postgresql://gateway@127.0.0.1:5432/gateway",
    "DEEPSEEK_API_KEY": "not-a-real-key-deepseek",
    "METRICS_TOKEN": "not-a-real-token",
    "OPENAI_API_KEY": "not-a-real-key-openai",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def registry(path: Path, folder: Path) -> Registry:
    context = Context(client=Client(), database=Database(f"sqlite:///{folder / 'gateway.db'}"))
    return Registry.build(Config.from_file(path), context)


def test_there_are_examples() -> None:
    assert [path.parent.name for path in CONFIGS] == ["minimal", "production"]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.parent.name)
def test_config_is_valid(path: Path, tmp_path: Path) -> None:
    built = registry(path, tmp_path)
    assert built.plugins
    assert not built.skipped


@pytest.mark.usefixtures("environment")
def test_production_runs_in_the_order_of_its_file(tmp_path: Path) -> None:
    built = registry(EXAMPLES / "production" / "plugins.toml", tmp_path)
    assert [f"{plugin.id.partition('.')[0]}.{plugin.name}" for plugin in built.plugins] == [
        "auth.apikey",
        "middleware.metrics",
        "middleware.ratelimit",
        "provider.openai",
        "provider.openai_eu",
        "provider.deepseek",
    ]


async def test_minimal_starts_and_answers(tmp_path: Path) -> None:
    path = Path(shutil.copy(EXAMPLES / "minimal" / "plugins.toml", tmp_path))
    gateway = Gateway.from_file(path)
    async with gateway.lifespan(), gateway.client as client:
        chat = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello"}]}
        response = await client.post("/v1/chat/completions", json=chat)
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["content"] == "Hello"
    assert (tmp_path / "gateway.db").exists()
