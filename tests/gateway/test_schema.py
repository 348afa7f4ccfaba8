"""The JSON Schema of plugins.toml."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import Field

from gateway import Plugin, PluginConfig, Secret
from gateway.loader import KINDS
from gateway.schema import config_schema


class Sample(Plugin[Any]):
    """Sends calls to samples.

    In detail: it does not.
    """

    id = "provider.sample"

    class Config(PluginConfig):
        class Region(PluginConfig):
            name: str = Field(description="Its name.")

        api_key: Secret = Field(description="A key.")
        region: Region | None = Field(default=None, description="Where.")


class Plain(Plugin[Any]):
    id = "service.plain"


@pytest.fixture
def schema() -> dict[str, Any]:
    return config_schema({cls.id: cls for cls in (Sample, Plain)})


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "null": type(None),
}


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Whether a value fits, by the few keywords of JSON Schema that say so in ours."""
    parts = [*schema.get("allOf", ())]
    if "$ref" in schema:
        parts.append(root["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    return (
        all(accepts(part, value, root) for part in parts)
        and ("anyOf" not in schema or any(accepts(option, value, root) for option in schema["anyOf"]))
        and value in schema.get("enum", [schema.get("const", value)])
        and isinstance(value, TYPES[schema["type"]] if "type" in schema else object)
        and accepts_inside(schema, value, root)
    )


def accepts_inside(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(accepts(schema.get("items", {}), item, root) for item in cast("list[Any]", value))
    if not isinstance(value, dict):
        return True
    table = cast("dict[str, Any]", value)
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    return set(schema.get("required", ())) <= set(table) and all(
        accepts(known[key], inner, root) if key in known else rest is not False and accepts(rest, inner, root)
        for key, inner in table.items()
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[provider.sample]\napi_key = 'x'",
        "[provider.sample]\napi_key = { env = 'X' }\nregion = { name = 'eu' }",
        "[provider.sample]\nuse = 'sample'\napi_key = 'x'",
        "[provider.eu]\nuse = 'sample'\napi_key = { file = 'x' }",
        "[service.plain]",
        "[gateway]\ndatabase = { env = 'X' }\n[gateway.timeouts]\ntotal = 3.5",
        "[models.fast]\ntargets = ['sample:x', { to = 'sample:y', tier = 2 }]",
    ],
)
def test_a_good_config_fits_the_schema(schema: dict[str, Any], text: str) -> None:
    assert accepts(schema, tomllib.loads(text), schema)


@pytest.mark.parametrize(
    "text",
    [
        "[providers.sample]",
        "[provider.sample]",
        "[provider.sample]\napi_key = 3",
        "[provider.sample]\napi_key = { enf = 'X' }",
        "[provider.sample]\napi_key = 'x'\nzone = 3",
        "[provider.eu]\napi_key = 'x'",
        "[provider.eu]\nuse = 'other'\napi_key = 'x'",
        "[service.sample]\nuse = 'sample'\napi_key = 'x'",
        "[auth.sample]",
        "[gateway]\ndurability = 'never'",
        "[models.fast]\ntargets = ['sample/x']",
    ],
)
def test_a_bad_config_does_not_fit_the_schema(schema: dict[str, Any], text: str) -> None:
    assert not accepts(schema, tomllib.loads(text), schema)


def test_every_key_and_kind_is_described(schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == {"gateway", "models", *KINDS}
    assert schema["$defs"]["provider.sample"]["description"] == "Sends calls to samples."
    for name, definition in schema["$defs"].items():
        for key, described in definition.get("properties", {}).items():
            target = schema["$defs"].get(described.get("$ref", "").removeprefix("#/$defs/"), {})
            assert "description" in {**target, **described}, f"{name}.{key}"


def test_defaults_in_the_schema_hold_no_secret_of_this_machine(schema: dict[str, Any]) -> None:
    assert str(Path.cwd()) not in json.dumps(schema)
