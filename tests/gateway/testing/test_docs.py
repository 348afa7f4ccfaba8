from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from gateway import Plugin, PluginConfig, Secret
from gateway.errors import GatewayError
from gateway.schema import installed
from gateway.testing.docs import config_table, readme, with_table

ROOT = Path(__file__).parents[3]
PLUGINS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
    "gateway.plugins"
]


class Inner(PluginConfig):
    size: float = Field(default=1.5, description="How big,\n  in metres.")


class Settings(PluginConfig):
    key: Secret = Field(description="The key.")
    names: list[str] = Field(default_factory=list[str], description="Names.")
    mode: Literal["a", "b"] | None = Field(default=None, description="This | that.")
    parts: dict[str, Inner] = Field(default_factory=dict[str, Inner], description="Parts.")


def test_the_table():
    assert config_table(Settings).splitlines() == [
        "| Setting | Type | Default | What it does |",
        "| --- | --- | --- | --- |",
        "| `key` | secret | required | The key. |",
        "| `names` | list of texts | `[]` | Names. |",
        '| `mode` | `"a"` or `"b"` |  | This \\| that. |',
        "| `parts` | table of tables | `{}` | Parts. |",
        "| `parts.size` | number | `1.5` | How big, in metres. |",
    ]
    assert config_table(PluginConfig) == "There is nothing to set."


def test_the_table_is_put_between_the_markers():
    text = "before\n<!-- config -->\nold\n<!-- /config -->\nafter\n"
    once = with_table(text, Settings)
    assert once.startswith("before\n<!-- config -->\n\n| Setting")
    assert once.endswith("|\n\n<!-- /config -->\nafter\n")
    assert with_table(once, Settings) == once
    with pytest.raises(GatewayError, match="/config"):
        with_table("<!-- config -->", Settings)


@pytest.mark.parametrize("plugin_id", PLUGINS)
def test_the_readme_of_every_plugin_is_current(plugin_id: str):
    plugins, failures = installed()
    assert plugin_id not in failures
    plugin: type[Plugin[PluginConfig]] = plugins[plugin_id]
    text = readme(plugin).read_text("utf-8")
    assert with_table(text, plugin.Config) == text, "run: python -m gateway.testing.docs"
    assert all(field.description for field in plugin.Config.model_fields.values())
    assert "```toml" in text
