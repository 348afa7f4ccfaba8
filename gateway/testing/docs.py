"""Keeps the table of settings in a plugin's README the same as its `Config`.

`python -m gateway.testing.docs` rewrites the README of every installed plugin that lies beside its source.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.errors import GatewayError
from gateway.plugin import Plugin
from gateway.schema import installed
from gateway.secrets import Secret

BEGIN = "<!-- config -->"
END = "<!-- /config -->"

_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Secret: "secret",
    Path: "path",
    Any: "anything",
}


def config_table(config: type[BaseModel]) -> str:
    """Write the settings as a Markdown table; those of a table within follow it as `outer.inner`."""
    rows = list(_rows(config, ""))
    if not rows:
        return "There is nothing to set."
    lines = ["| Setting | Type | Default | What it does |", "| --- | --- | --- | --- |"]
    lines += (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join(lines)


def with_table(text: str, config: type[BaseModel]) -> str:
    """Return a README's text with a fresh table between its markers.

    Raises `GatewayError` when the markers are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise GatewayError(f"the lines {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{config_table(config)}\n\n{END}{after}"


def readme(plugin: type[Plugin[Any]]) -> Path:
    """Return where the README of a plugin is: in the folder of its top-level package."""
    package = sys.modules[plugin.__module__.partition(".")[0]]
    assert package.__file__ is not None
    return Path(package.__file__).parent / "README.md"


def _rows(config: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in config.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield (
            f"`{key}`",
            _type(field.annotation),
            _default(field),
            " ".join((field.description or "").split()),
        )
        inner = _inner(field.annotation)
        if inner is not None:
            yield from _rows(inner, f"{key}.")


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in args if one is not NoneType))
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in args)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_plural(_type(args[0]))}"
    if origin is dict:
        return f"table of {_plural(_type(args[1]))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    named: str = getattr(annotation, "__name__", str(annotation))  # pyright: ignore[reportUnknownArgumentType] - any object
    return _NAMES.get(annotation) or named.lower()


def _plural(name: str) -> str:
    return name if name.endswith("s") or " or " in name or name == "anything" else f"{name}s"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel):
        return ""
    try:
        return f"`{json.dumps(value)}`"
    except TypeError:
        return f"`{value}`"


def _inner(annotation: Any) -> type[BaseModel] | None:
    """Find the table within: the annotation itself, or what a list or table of them holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner(argument) for argument in get_args(annotation))
    return next((one for one in found if one is not None), None)


def main() -> None:
    """Rewrite the README of every installed plugin."""
    plugins, _ = installed()
    for plugin in plugins.values():
        path = readme(plugin)
        if path.exists():
            path.write_text(with_table(path.read_text("utf-8"), plugin.Config), "utf-8")


if __name__ == "__main__":
    main()
