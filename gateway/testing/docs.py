"""Keeps the tables of settings in documents the same as the classes they describe.

In a plugin's README the table stands between `<!-- config -->` and `<!-- /config -->`; in any other document, and where
several plugins share a README, the marker names the class: `<!-- config package.module:Class -->`. Between `<!-- catalogue -->` and `<!-- /catalogue -->` stands
how many models are known of each provider, between `<!-- admin -->` and `<!-- /admin -->` the endpoints of the admin API, and
between `<!-- credentials -->` and `<!-- /credentials -->` what the vault may hold for each provider.

`python -m gateway.testing.docs` rewrites the README of every installed plugin that lies beside its source, and the
documents in `docs/` of the working folder.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.admin import PREFIX
from gateway.admin.endpoint import SIGNED_IN
from gateway.admin.resources import endpoints
from gateway.catalogue import KINDS, ModelCatalogue
from gateway.errors import GatewayError
from gateway.plugin import Plugin
from gateway.provider import ServiceConfig
from gateway.schema import installed
from gateway.secrets import Secret

BEGIN = "<!-- config -->"
END = "<!-- /config -->"
_NAMED = re.compile(rf"(?P<begin><!-- config (?P<module>[\w.]+):(?P<name>\w+) -->).*?{END}", re.DOTALL)

_CATALOGUE = re.compile(r"(?P<begin><!-- catalogue -->).*?(?P<end><!-- /catalogue -->)", re.DOTALL)

_ADMIN = re.compile(r"(?P<begin><!-- admin -->).*?(?P<end><!-- /admin -->)", re.DOTALL)

_CREDENTIALS = re.compile(r"(?P<begin><!-- credentials -->).*?(?P<end><!-- /credentials -->)", re.DOTALL)

_NAMES: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    Decimal: "number",
    bool: "true or false",
    Secret: "secret",
    Path: "path",
    Any: "anything",
}


def config_table(config: type[BaseModel], described: Mapping[type[BaseModel], str] | None = None) -> str:
    """Write the settings as a Markdown table.

    Those of a table within follow it as `outer.inner`, unless `described` has a link to where they are described.
    """
    rows = list(_rows(config, "", described or {}))
    if not rows:
        return "There is nothing to set."
    lines = ["| Setting | Type | Default | What it does |", "| --- | --- | --- | --- |"]
    lines += (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join(lines)


def with_table(text: str, config: type[BaseModel]) -> str:
    """Return a README's text with a fresh table between its markers; one of several plugins names their classes.

    Raises `GatewayError` when the markers are missing.
    """
    if f"<!-- config {config.__module__}:{config.__name__} -->" in text:
        return with_tables(text)
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise GatewayError(f"the lines {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{config_table(config)}\n\n{END}{after}"


def with_tables(text: str) -> str:
    """Return a document's text with a fresh table for every class that its markers name."""
    described = {_class(found): _anchor(text[: found.start()]) for found in _NAMED.finditer(text)}

    def fresh(found: re.Match[str]) -> str:
        return f"{found['begin']}\n\n{config_table(_class(found), described)}\n\n{END}"

    text = _NAMED.sub(fresh, text)
    tables = ((_CATALOGUE, catalogue_table), (_ADMIN, admin_table), (_CREDENTIALS, credentials_table))
    for marker, table in tables:
        text = marker.sub(lambda found, table=table: f"{found['begin']}\n\n{table()}\n\n{found['end']}", text)
    return text


def catalogue_table() -> str:
    """Write how many models of each kind are known of each provider as a Markdown table."""
    catalogue = ModelCatalogue()
    lines = ["| Provider | Models | With a price | Kinds |", "| --- | ---: | ---: | --- |"]
    for provider in catalogue.providers:
        models = catalogue.models(provider).values()
        kinds = Counter(model.kind for model in models)
        told = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
        priced = sum(bool(model.prices) for model in models)
        lines.append(f"| `{provider}` | {len(models)} | {priced} | {told} |")
    return "\n".join(lines)


def admin_table() -> str:
    """Write the endpoints of the admin API, and the permission that each needs, as a Markdown table."""
    lines = ["| Method | Path | Permission | What it does |", "| --- | --- | --- | --- |"]
    for endpoint in sorted(endpoints(), key=lambda one: (one.path, one.method)):
        permissions = " or ".join(f"`{name}`" for name in endpoint.permissions if name != SIGNED_IN)
        lines.append(
            f"| {endpoint.method} | `{PREFIX}{endpoint.path.replace(':path', '')}` | {permissions or 'any caller'} | {endpoint.summary} |"
        )
    return "\n".join(lines)


def credentials_table() -> str:
    """Write which fields make up a credential of each installed provider as a Markdown table."""
    lines = ["| Provider | Kind | Fields |", "| --- | --- | --- |"]
    for name, plugin in sorted(installed()[0].items()):
        kinds = plugin.Config.credential_kinds() if issubclass(plugin.Config, ServiceConfig) else ()
        for kind in kinds:
            fields = (f"`{one.name}`" + ("" if one.required else " (optional)") for one in kind.fields)
            lines.append(f"| `{name.partition('.')[2]}` | `{kind.name}` | {', '.join(fields)} |")
    return "\n".join(lines)


def readme(plugin: type[Plugin[Any]]) -> Path:
    """Return where the README of a plugin is: in the folder of its top-level package."""
    package = sys.modules[plugin.__module__.partition(".")[0]]
    assert package.__file__ is not None
    return Path(package.__file__).parent / "README.md"


def _class(marker: re.Match[str]) -> type[BaseModel]:
    return getattr(import_module(marker["module"]), marker["name"])


def _anchor(before: str) -> str:
    """The link to the last heading, as GitHub and others make it."""
    heading = re.findall(r"^#+ (.+)$", before, re.MULTILINE)[-1]
    return "#" + re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def _rows(
    config: type[BaseModel], prefix: str, described: Mapping[type[BaseModel], str]
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in config.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        table = _inner(field.annotation)
        kind = _type(_given(field.annotation, field.metadata))
        yield (
            f"`{key}`",
            f"[{kind}]({described[table]})" if table and table in described else kind,
            _default(field),
            " ".join((field.description or "").split()),
        )
        if table is not None and table not in described:
            yield from _rows(table, f"{key}.", described)


def _given(annotation: Any, metadata: Iterable[Any]) -> Any:
    """What may be written, where a validator before pydantic's own takes more than the annotation says."""
    befores = (one for one in metadata if isinstance(one, BeforeValidator))
    inputs = (one.json_schema_input_type for one in befores)
    return next((one for one in inputs if one is not PydanticUndefined), annotation)


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(_given(args[0], args[1:]))
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in args if one is not NoneType))
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in args)
    if origin in (list, tuple, set, frozenset, dict):
        return f"{'table' if origin is dict else 'list'} of {_plural(_type(args[origin is dict]))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    named: str = getattr(annotation, "__name__", str(annotation))  # pyright: ignore[reportUnknownArgumentType] - any object
    return _NAMES.get(annotation) or named.lower()


def _plural(name: str) -> str:
    if "`" in name or name == "anything":
        return name
    return " or ".join(word if word.endswith("s") else f"{word}s" for word in name.split(" or "))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, Secret):
        value = value.reveal()  # what is written in the source is none
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
    """Rewrite the README of every installed plugin, and the documents in `docs/`."""
    plugins, _ = installed()
    for plugin in plugins.values():
        path = readme(plugin)
        if path.exists():
            path.write_text(with_table(path.read_text("utf-8"), plugin.Config), "utf-8")
    for path in Path("docs").glob("*.md"):
        path.write_text(with_tables(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
