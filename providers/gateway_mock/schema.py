"""Makes a small JSON value that is valid for a JSON Schema, as a model with structured output would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor
from typing import Any, cast

_MAX_DEPTH = 12
"""Beyond it, arrays stay as short as they may be and the last alternative is taken, so that recursion ends."""

_FORMATS = {
    "date-time": "2025-01-31T12:00:00Z",
    "date": "2025-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance(schema: Any) -> Any:
    """Make a value for a schema: required properties only, the first alternative, the smallest numbers.

    Understands type, enum, const, required, properties, items, prefixItems, anyOf, oneOf, allOf, local $ref, bounds of
    numbers, lengths and arrays, and the usual formats; `pattern`, `not` and conditions are not looked at.
    """
    return _make(schema, schema, 0)


def _make(schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict):
        return "example"  # `true` allows everything; `false` cannot be met
    rules = _resolved(cast("dict[str, Any]", schema), root)
    if "const" in rules:
        return rules["const"]
    if rules.get("enum"):
        return rules["enum"][0]
    for key in ("anyOf", "oneOf"):
        if alternatives := rules.get(key):
            # Recursive types usually put their end, such as null, last.
            chosen = alternatives[0] if depth < _MAX_DEPTH else alternatives[-1]
            rest = {name: value for name, value in rules.items() if name != key}
            return _make(_merged(rest, _resolved(chosen, root)), root, depth + 1)
    return _MAKERS.get(_type(rules), _text)(rules, root, depth)


def _resolved(schema: Mapping[str, Any], root: Any) -> dict[str, Any]:
    """Follow `$ref` and merge `allOf` into one set of rules."""
    rules = dict(schema)
    for _ in range(_MAX_DEPTH):
        if "$ref" in rules:
            target = _pointed(root, str(rules.pop("$ref")))
            rules = _merged(target, rules)
        elif "allOf" in rules:
            for part in rules.pop("allOf"):
                rules = _merged(rules, _resolved(part, root))
        else:
            break
    return rules


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return both


def _pointed(root: Any, reference: str) -> dict[str, Any]:
    """Find what a JSON pointer (RFC 6901) within the schema leads to; nothing for any other reference."""
    value: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        children = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        value = children.get(key, {})
    return cast("dict[str, Any]", value) if isinstance(value, dict) and reference.startswith("#") else {}


def _type(rules: Mapping[str, Any]) -> str:
    kind = rules.get("type")
    if isinstance(kind, list):
        kinds = cast("list[str]", kind)
        return next((name for name in kinds if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in rules or "required" in rules:
        return "object"
    return "array" if "items" in rules or "prefixItems" in rules else "string"


def _object(rules: Mapping[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties = rules.get("properties", {})
    names = [name for name in rules.get("required", ()) if isinstance(name, str)]
    return {name: _make(properties.get(name, {}), root, depth + 1) for name in names}


def _array(rules: Mapping[str, Any], root: Any, depth: int) -> list[Any]:
    first = [_make(item, root, depth + 1) for item in rules.get("prefixItems", ())]
    wanted = rules.get("minItems", 0)
    if depth < _MAX_DEPTH and "items" in rules:
        wanted = max(wanted, min(1, rules.get("maxItems", 1)))
    missing = max(wanted - len(first), 0)
    return first + [_make(rules.get("items", {}), root, depth + 1) for _ in range(missing)]


def _text(rules: Mapping[str, Any], _root: Any, _depth: int) -> str:
    text = _FORMATS.get(rules.get("format", ""), "example")
    shortest, longest = rules.get("minLength", 0), rules.get("maxLength")
    while len(text) < shortest:
        text += " example"
    return text if longest is None else text[: max(longest, shortest)]


def _integer(rules: Mapping[str, Any], root: Any, depth: int) -> int:
    step = rules.get("multipleOf", 1)
    return int(_number({**rules, "multipleOf": step}, root, depth))


def _number(rules: Mapping[str, Any], _root: Any, _depth: int) -> float:
    step = rules.get("multipleOf")
    low, above = rules.get("minimum"), rules.get("exclusiveMinimum")
    high, below = rules.get("maximum"), rules.get("exclusiveMaximum")
    value = 1
    if low is not None and value < low:
        value = low
    if above is not None and value <= above:
        value = above + (step or 1)
    if high is not None and value > high:
        value = high if low is None else max(low, high)
    if below is not None and value >= below:
        value = below - (step or 1)
    if above is not None and below is not None and not above < value < below:
        value = (above + below) / 2
    if step:
        value = floor(value / step) * step
        while (low is not None and value < low) or (above is not None and value <= above):
            value += step
    return value


def _boolean(_rules: Mapping[str, Any], _root: Any, _depth: int) -> bool:
    return True


def _null(_rules: Mapping[str, Any], _root: Any, _depth: int) -> None:
    return None


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], Any, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
