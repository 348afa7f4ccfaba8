"""JSON Schemas for models that only take objects without further properties.

Claude's structured outputs want `additionalProperties` to be false in each object:
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

_ONE: Final = frozenset({"items", "not"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "$defs", "definitions", "patternProperties"})


def closed(schema: Any) -> Any:
    """Return the schema with every object that says nothing of further properties closed to them.

    What fits the closed schema fits the given one, too. What the client says of `additionalProperties` stays.
    """
    if not isinstance(schema, dict):
        return schema
    given = cast("Mapping[str, Any]", schema)
    made = {name: _inner(name, value) for name, value in given.items()}
    if given.get("type") == "object" or "properties" in given:
        made.setdefault("additionalProperties", False)
    return made


def _inner(name: str, value: Any) -> Any:
    if name in _ONE:
        return closed(value)
    if name in _LISTS and isinstance(value, list):
        return [closed(one) for one in cast("list[Any]", value)]
    if name in _NAMED and isinstance(value, dict):
        return {key: closed(one) for key, one in cast("dict[str, Any]", value).items()}
    return value
