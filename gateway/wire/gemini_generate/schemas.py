"""JSON Schema from Gemini's `Schema`, a subset of OpenAPI 3.0. https://ai.google.dev/api/caching#Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

_COUNTS: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
"""64-bit integers, which protobuf's JSON writes as text."""
_NAMES: Final[Mapping[str, str]] = {"ref": "$ref", "defs": "$defs"}
_SAID_OTHERWISE: Final = frozenset({"nullable", "propertyOrdering"})


def json_schema(schema: Any) -> Any:
    """Turn a `Schema` into JSON Schema: types in lower case, `nullable` as a type. What is no object stays as it is."""
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    made = {
        _NAMES.get(name, name): _value(name, value)
        for name, value in fields.items()
        if name not in _SAID_OTHERWISE and value != "TYPE_UNSPECIFIED"
    }
    if fields.get("nullable") is True:
        _allow_null(made)
    order = fields.get("propertyOrdering")
    if isinstance(order, list) and isinstance(made.get("properties"), dict):
        _put_in_order(made, cast("list[str]", order))
    return made


def _value(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in {"properties", "defs"} and isinstance(value, dict):
        return {own: json_schema(inner) for own, inner in cast("dict[str, Any]", value).items()}
    if name == "anyOf" and isinstance(value, list):
        return [json_schema(inner) for inner in cast("list[Any]", value)]
    if name in {"items", "additionalProperties"}:
        return json_schema(value)
    if name in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _allow_null(schema: dict[str, Any]) -> None:
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]


def _put_in_order(schema: dict[str, Any], order: list[str]) -> None:
    """Put the properties in the order that was asked for: models follow the order in which they are written."""
    properties = schema["properties"]
    named = [name for name in order if name in properties]
    schema["properties"] = {name: properties[name] for name in dict.fromkeys([*named, *properties])}
