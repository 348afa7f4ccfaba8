"""The config under measurement: the operator's own, with a database and an upstream that may be written to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from gateway.config import Config

MODEL = "gateway-bench"
"""The model name that is called, and the name of the provider behind it."""
UPSTREAM_MODEL = "gpt-4o-mini"
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Derived:
    """A config to measure with."""

    text: str
    needs_key: bool
    notes: tuple[str, ...]
    """What differs from the operator's config, apart from database and upstream."""


def derive(config: Config, *, database: str, upstream: str) -> Derived:
    """Write the config again with that database, and a model that leads to `upstream`, an OpenAI-style base URL.

    Relative paths become absolute. Rate limits are lifted but still counted. Sinks are left out: nobody wants records
    of made-up calls. Where there is authentication, but not by API keys, API keys are added, for the measuring needs one.
    """
    notes: list[str] = []
    folder = config.document.folder
    core = {**config.document.data.get("gateway", {}), "database": database}
    tables: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [(("gateway",), _absolute(core, folder))]
    for plugin in config.plugins:
        if plugin.kind == "sink":
            notes.append(f"[{plugin.instance}] is left out: no records of made-up calls go anywhere")
            continue
        values = dict(plugin.values)
        if plugin.plugin == "middleware.ratelimit":
            limits = {key: _NO_LIMIT for key in values if key.endswith("_per_minute")}
            values |= limits
            if limits:
                notes.append(f"[{plugin.instance}] counts, but its limits are lifted")
        tables.append(((plugin.kind, plugin.name), _absolute({"use": plugin.use, **values}, folder)))
    authenticators = [plugin for plugin in config.plugins if plugin.kind == "auth"]
    if authenticators and not any(plugin.use == "apikey" for plugin in authenticators):
        notes.append("[auth.apikey] is added: the measuring calls with an API key")
        tables.append((("auth", MODEL), {"use": "apikey"}))
    provider = {"use": "openai", "base_url": upstream, "api_key": "sk-not-a-secret"}
    tables.append((("provider", MODEL), provider))
    models = cast("Mapping[str, Mapping[str, Any]]", config.document.data.get("models", {}))
    tables += [(("models", name), table) for name, table in models.items()]
    tables.append((("models", MODEL), {"targets": [f"{MODEL}:{UPSTREAM_MODEL}"]}))
    return Derived("\n".join(_toml(tables)), bool(authenticators), tuple(notes))


def _absolute(value: Any, folder: Path) -> Any:
    """Point `{ file = "…" }` secrets and the price book at the same files from another folder."""
    if isinstance(value, list):
        return [_absolute(item, folder) for item in cast("list[Any]", value)]
    if not isinstance(value, Mapping):
        return value
    table = {key: _absolute(item, folder) for key, item in cast("Mapping[str, Any]", value).items()}
    for key in {"file", "book"} & set(table):
        if isinstance(table[key], str):
            table[key] = str(folder / Path(table[key]).expanduser())
    return table


def _toml(tables: list[tuple[tuple[str, ...], Mapping[str, Any]]]) -> Iterator[str]:
    for name, table in tables:
        yield f"[{'.'.join(json.dumps(part) for part in name)}]"
        for key, value in table.items():
            yield f"{_string(key)} = {_value(value)}"
        yield ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return "{ " + ", ".join(f"{_string(key)} = {_value(item)}" for key, item in pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in cast("list[Any]", value)) + "]"
    return repr(value)  # integers and floats, `inf` and `nan` too, as TOML writes them


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
