"""Names of fields as protobuf's JSON allows them: clients may write `snake_case` or `camelCase`. https://protobuf.dev/programming-guides/json/."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")

_OPAQUE: Final = frozenset(
    {
        "args",
        "default",
        "enum",
        "example",
        "labels",
        "parametersJsonSchema",
        "partMetadata",
        "response",
        "responseJsonSchema",
        "schema",
    }
)
"""Fields whose values are the client's own, down to the names in them."""
_MAPS: Final = frozenset({"properties", "defs"})
"""Fields whose values have names of the client's own, but values of a known shape."""
_UNDERSCORE: Final = re.compile(r"(?<=[A-Za-z0-9])_([a-z0-9])")


def decoder_of(kind: type[T]) -> Callable[[bytes], T]:
    """Make a decoder for a client's body that takes both ways to write names."""

    def decode(body: bytes) -> T:
        return msgspec.convert(camel(msgspec.json.decode(body)), kind)

    return decode


def camel(value: Any) -> Any:
    """Write all names of fields in camelCase, except where they are the client's own."""
    if isinstance(value, list):
        return [camel(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, item in cast("dict[str, Any]", value).items():
        name = _UNDERSCORE.sub(_upper, key) if "_" in key else key
        if name in _OPAQUE:
            made[name] = item
        elif name in _MAPS and isinstance(item, dict):
            made[name] = {own: camel(inner) for own, inner in cast("dict[str, Any]", item).items()}
        else:
            made[name] = camel(item)
    return made


def _upper(match: re.Match[str]) -> str:
    return match[1].upper()
