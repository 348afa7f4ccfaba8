"""Reads a data file of the catalogue, or an operator's own book of models and prices in the same format."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct

from gateway.catalogue.model import CAPABILITIES, KINDS
from gateway.catalogue.rates import prices, with_fees
from gateway.document import did_you_mean
from gateway.errors import ConfigError

Fields: TypeAlias = dict[str, Any]
"""What a file says of a model: some of the fields of `Model`."""

_LONGEST_VERSION: Final = 40
"""What the ledger's column holds."""
_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


class Page(Struct, frozen=True):
    """One file: its models by provider and name."""

    models: Mapping[str, Mapping[str, Fields]]
    like: str | None = None
    """The provider that sells the same models at the same prices under the same names."""


class _Common(Struct, frozen=True):
    """What a file says of all its models."""

    batch_percent: int | None = None
    tools: Mapping[str, Any] = {}

    def add(self, fields: Fields) -> Fields:
        """Say it of one of them: only models that chat have tools."""
        if self.batch_percent is not None:
            fields.setdefault("batch_percent", self.batch_percent)
        if self.tools and fields.get("kind") == "chat" and "prices" in fields:
            fields["prices"] = with_fees(fields["prices"], self.tools)
        return fields


def read(text: str, where: str) -> Page:
    """Read a file's text; `where` is its path, for errors.

    Raises `ConfigError` that names file, model and field of everything that is wrong.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{where}: {error}"]) from error
    return read_document(document, where)


def read_document(document: dict[str, Any], where: str) -> Page:
    """Read what a file says, already decoded with decimal numbers; raises as `read` does."""
    problems: list[str] = []
    document = dict(document)
    version = document.pop("version", None)
    if not isinstance(version, str) or not 0 < len(version) <= _LONGEST_VERSION or not version.isprintable():
        problems.append(f"{where}: version: a text of 1 to {_LONGEST_VERSION} characters is required")
    if document.pop("currency", "USD") != "USD":
        problems.append(f"{where}: currency: only 'USD' is supported, the currency of the shipped prices")
    like = document.pop("like", None)
    if like is not None and not isinstance(like, str):
        problems.append(f"{where}: like: expected the name of a provider")
    common = _common(document, where, problems)
    models = {
        provider: _models(provider, entries, str(version), common, where, problems)
        for provider, entries in document.items()
    }
    if problems:
        raise ConfigError(problems)
    return Page(models, like)


def _common(document: dict[str, Any], where: str, problems: list[str]) -> _Common:
    """Take from a file what holds for all of its models that say nothing else."""
    percent, fees = document.pop("batch_percent", None), document.pop("tools", {})
    try:
        if percent is not None:
            _percent(percent)
        if not isinstance(fees, dict):
            raise ValueError("expected a table such as { search = 0.01 }")  # noqa: TRY004, TRY301 - one kind of error for all
        with_fees((), cast("dict[str, Any]", fees))
    except ValueError as error:
        problems.append(f"{where}: batch_percent or tools: {error}")
        return _Common()
    return _Common(percent, cast("dict[str, Any]", fees))


def _models(
    provider: str, entries: Any, version: str, common: _Common, where: str, problems: list[str]
) -> Mapping[str, Fields]:
    if not isinstance(entries, dict):
        problems.append(f'{where}: {provider}: unknown key; models stand in tables, [provider."model"]')
        return {}
    models: dict[str, Fields] = {}
    for name, entry in cast("dict[str, Any]", entries).items():
        try:
            models[name] = common.add(_fields(entry, version))
        except ValueError as error:
            problems.append(f"{where}: [{provider}] {name!r}: {error}")
    return models


def _fields(entry: Any, version: str) -> Fields:
    if not isinstance(entry, dict):
        raise ValueError('expected a table such as { kind = "chat", price = { input = 1.25, output = 10 } }')  # noqa: TRY004 - one kind of error for all entries
    table = cast("dict[str, Any]", entry)
    for key in table:
        if key not in _FIELDS and key != "price":
            raise ValueError(
                f"{key}: unknown key{did_you_mean(key, _FIELDS)}; known are {', '.join(_FIELDS)}, price"
            )
    fields: Fields = {}
    for key, value in table.items():
        try:
            if key == "price":
                fields["prices"] = prices(value, version)
            else:
                fields[key] = _FIELDS[key](value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return fields


def _kind(value: Any) -> str:
    return _word(value, KINDS)


def _can(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('expected a list such as ["tools", "vision"]')  # noqa: TRY004 - one kind of error for all entries
    words = {_word(one, CAPABILITIES) for one in cast("list[Any]", value)}
    return tuple(word for word in CAPABILITIES if word in words)


def _word(value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise ValueError(f"{value!r} is not known{hint}; known are {', '.join(known)}")
    return value


def _tokens(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("expected a positive number of tokens")
    return value


def _percent(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:  # noqa: PLR2004 - all of it
        raise ValueError("expected a whole number of percent, 0 to 100")
    return value


def _day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("expected a date such as 2025-01-31")  # noqa: TRY004 - one kind of error for all entries
    return value


def _month(value: Any) -> str:
    if not isinstance(value, str) or not _MONTH.fullmatch(value):
        raise ValueError('expected a month such as "2025-01"')
    return value


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "kind": _kind,
    "can": _can,
    "context": _tokens,
    "max_output": _tokens,
    "released": _day,
    "knowledge": _month,
    "retires": _day,
    "batch_percent": _percent,
}
"""How each field of an entry is read, beside its price."""
