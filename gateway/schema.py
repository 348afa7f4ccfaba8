"""One JSON Schema for the whole of plugins.toml, merged from the core's settings and every installed plugin's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from gateway.loader import KINDS, Catalogue, LoadError
from gateway.settings import ModelRoute, Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gateway.plugin import Plugin

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT = {
    "provider": "AI services that calls are sent to.",
    "auth": "Ways to recognise who calls.",
    "middleware": "What runs around calls.",
    "billing": "What calls are paid with.",
    "sink": "Where settled calls are sent.",
    "service": "Everything else.",
}
Json = dict[str, Any]


def installed(extra: Sequence[type[Plugin[Any]]] = ()) -> tuple[dict[str, type[Plugin[Any]]], dict[str, str]]:
    """Import every installed plugin: the classes by id, and why the others cannot be imported."""
    catalogue = Catalogue(extra)
    classes: dict[str, type[Plugin[Any]]] = {}
    failures: dict[str, str] = {}
    for plugin in catalogue:
        try:
            classes[plugin] = catalogue.load(plugin)
        except LoadError as error:
            failures[plugin] = str(error)
    return classes, failures


def config_schema(plugins: Mapping[str, type[Plugin[Any]]]) -> Json:
    """Make the JSON Schema (draft 2020-12) of a config that may use these plugins."""
    models: list[type[BaseModel]] = [Settings, ModelRoute, *(cls.Config for cls in plugins.values())]
    references, schema = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template="#/$defs/{model}"
    )
    definitions: Json = schema["$defs"]
    for plugin, cls in plugins.items():
        name = references[cls.Config, "validation"]["$ref"].removeprefix("#/$defs/")
        definitions[plugin] = _plugin(cls, definitions[name])
    for cls in plugins.values():
        name = references[cls.Config, "validation"]["$ref"].removeprefix("#/$defs/")
        definitions.pop(name, None)
    return {
        "$schema": _DIALECT,
        "title": "plugins.toml",
        "description": "The config of asgi-gateway.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "gateway": references[Settings, "validation"],
            "models": {
                "description": "Names that clients may call.",
                "type": "object",
                "additionalProperties": references[ModelRoute, "validation"],
            },
            **{kind: _kind(kind, plugins) for kind in KINDS},
        },
        "$defs": definitions,
    }


def _plugin(cls: type[Plugin[Any]], config: Json) -> Json:
    """The table of a plugin: its Config, and `use` for a second instance."""
    name = cls.id.partition(".")[2]
    use = {"const": name, "description": "The plugin, when the table has a name of its own."}
    about = (cls.__doc__ or "").partition("\n\n")[0].strip()
    return {
        **config,
        "title": cls.id,
        **({"description": about} if about else {}),
        "properties": {"use": use, **config.get("properties", {})},
    }


def _kind(kind: str, plugins: Mapping[str, type[Plugin[Any]]]) -> Json:
    """The tables of one kind: under the plugin's own name, or under any name with `use`."""
    ids = [plugin for plugin in plugins if plugin.startswith(f"{kind}.")]
    renamed = [{"allOf": [{"$ref": f"#/$defs/{plugin}"}, {"required": ["use"]}]} for plugin in ids]
    return {
        "description": _ABOUT[kind],
        "type": "object",
        "properties": {
            plugin.partition(".")[2]: {"anyOf": [{"$ref": f"#/$defs/{plugin}"}, *renamed]} for plugin in ids
        },
        "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
        "additionalProperties": {"anyOf": renamed} if renamed else False,
    }
