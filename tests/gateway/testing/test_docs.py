from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, Field

from gateway import Plugin, PluginConfig, Secret
from gateway.errors import GatewayError
from gateway.schema import installed
from gateway.testing.docs import config_table, readme, with_table, with_tables

ROOT = Path(__file__).parents[3]
PLUGINS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
    "gateway.plugins"
]


class Inner(PluginConfig):
    size: float = Field(default=1.5, description="How big,\n  in metres.")


def lenient(value: Any) -> Any:
    return {"size": len(value)} if isinstance(value, str) else value


class Settings(PluginConfig):
    key: Secret = Field(description="The key.")
    names: list[str] = Field(default_factory=list[str], description="Names.")
    mode: Literal["a", "b"] | None = Field(default=None, description="This | that.")
    parts: dict[str, Inner] = Field(default_factory=dict[str, Inner], description="Parts.")
    home: Secret = Field(default=Secret("/srv"), description="Home.")
    price: Annotated[Decimal, Field(ge=0)] | None = Field(default=None, description="Price.")
    loose: list[Annotated[Inner, BeforeValidator(lenient, json_schema_input_type=str | Inner)]] = Field(
        default_factory=list[Inner], description="Loose."
    )


def test_the_table():
    assert config_table(Settings).splitlines() == [
        "| Setting | Type | Default | What it does |",
        "| --- | --- | --- | --- |",
        "| `key` | secret | required | The key. |",
        "| `names` | list of texts | `[]` | Names. |",
        '| `mode` | `"a"` or `"b"` |  | This \\| that. |',
        "| `parts` | table of tables | `{}` | Parts. |",
        "| `parts.size` | number | `1.5` | How big, in metres. |",
        '| `home` | secret | `"/srv"` | Home. |',
        "| `price` | number |  | Price. |",
        "| `loose` | list of texts or tables | `[]` | Loose. |",
        "| `loose.size` | number | `1.5` | How big, in metres. |",
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


def test_a_document_has_a_table_for_every_class_it_names():
    text = (
        "# `[A.b]` and c\n<!-- config gateway.settings:Settings -->outdated\n<!-- /config -->\n"
        "## Within\n<!-- config gateway.settings:Prices --><!-- /config -->\nend\n"
    )
    once = with_tables(text)
    assert "outdated" not in once
    assert "| `prices` | [table](#within) |" in once
    assert "| `timeouts.idle` | number |" in once
    assert "prices.book" not in once
    assert "| `book` | path |" in once.partition("## Within")[2]
    assert with_tables(once) == once


def test_a_document_counts_the_models():
    once = with_tables("before <!-- catalogue --> old <!-- /catalogue --> after")
    assert once.startswith("before <!-- catalogue -->\n\n| Provider | Models |")
    assert re.search(r"\n\| `anthropic` \| \d\d \| \d\d \| \d\d chat \|\n", once)
    assert once.endswith("|\n\n<!-- /catalogue --> after")
    assert with_tables(once) == once


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_the_tables_of_the_documents_are_current(path: Path):
    text = path.read_text("utf-8")
    assert with_tables(text) == text, "run: python -m gateway.testing.docs"


@pytest.mark.parametrize("plugin_id", PLUGINS)
def test_the_readme_of_every_plugin_is_current(plugin_id: str):
    plugins, failures = installed()
    assert plugin_id not in failures
    plugin: type[Plugin[PluginConfig]] = plugins[plugin_id]
    text = readme(plugin).read_text("utf-8")
    assert with_table(text, plugin.Config) == text, "run: python -m gateway.testing.docs"
    assert all(field.description for field in plugin.Config.model_fields.values())
    assert "```toml" in text
