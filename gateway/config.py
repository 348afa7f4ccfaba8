"""plugins.toml, read once into frozen settings; and the only reading of the environment beside secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, cast

from gateway.document import Data, Document, Problem, did_you_mean
from gateway.errors import ConfigError
from gateway.loader import KINDS, PluginTable, load
from gateway.settings import TARGET, ModelRoute, Settings
from gateway.validation import Invalid, ModelT, validate

if TYPE_CHECKING:
    from gateway.plugin import Plugin
    from gateway.store import Database
    from gateway.upstream import Proxies

DEFAULT_PATH = Path("plugins.toml")
VARIABLE = "GATEWAY_CONFIG"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Config:
    """A config whose core is valid. The plugins' own settings are validated by `Registry.build`."""

    settings: Settings
    """The table `[gateway]`."""
    models: Mapping[str, ModelRoute]
    """The tables `[models.NAME]`."""
    plugins: tuple[PluginTable, ...]
    """The plugins' tables in the order of the file, which is the order things run in."""
    document: Document
    """What all this was read from."""

    @classmethod
    def from_file(cls, path: str | Path, *, extra: Sequence[type[Plugin[Any]]] = ()) -> Self:
        """Read a TOML file; relative paths in it are relative to its folder.

        Raises `ConfigError` with everything that is wrong, in the plugins' tables too. `extra` are plugin classes that
        are known without being installed.
        """
        return cls._from_document(Document.from_file(Path(path)), extra)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, extra: Sequence[type[Plugin[Any]]] = ()) -> Self:
        """Take the same tables from a mapping; relative paths are relative to the working directory.

        Plugins run in the order of the mapping: kind by kind. Raises `ConfigError` as `from_file` does.
        """
        problems = list(_no_tables(data))
        if problems:
            raise ConfigError(problems)
        return cls._from_document(Document(data, Path.cwd()), extra)

    @classmethod
    def _from_document(cls, document: Document, extra: Sequence[type[Plugin[Any]]]) -> Self:
        reader = _Reader(document)
        tables = reader.plugins()
        providers = [table.name for table in tables if table.kind == "provider"]
        models = reader.models(providers)
        settings = reader.settings(providers)
        if settings is None or reader.problems:
            problems = [*reader.problems, *load(tables, document, extra).problems]
            raise ConfigError([problem.text for problem in sorted(problems)])
        return cls(settings, MappingProxyType(models), tuple(tables), document)

    def database(self) -> Database:
        """Make the gateway's database, not yet opened; whoever asks closes it. Raises `ConfigError` for a bad URL."""
        from gateway.store import Database  # noqa: PLC0415 - reading a config needs no database

        try:
            return Database(self.settings.database.reveal())
        except ConfigError as error:
            path = ("gateway", "database")
            raise ConfigError(
                [self.document.problem(path, problem).text for problem in error.problems]
            ) from None


class _Reader:
    """Takes the document apart, noting every problem on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        known = ("gateway", "models", *KINDS)
        for name, value in document.data.items():
            if name not in known:
                noun = "table" if isinstance(value, Mapping) else "key"
                hint = did_you_mean(name, known) or f"; known tables: {', '.join(known)}"
                self._wrong((name,), f"unknown {noun}{hint}")

    def settings(self, providers: Sequence[str]) -> Settings | None:
        table = self.document.data.get("gateway", {})
        if not isinstance(table, Mapping):
            self._wrong(("gateway",), "must be a table: [gateway]")
            return None
        settings = self._validated(Settings, ("gateway",), cast("Data", table))
        if settings is not None:
            for key in ("provider", "google"):
                name: str | None = getattr(settings.files, key)
                if name is not None and name not in providers:
                    self._wrong(("gateway", "files", key), _unknown_provider(name, providers))
        return settings

    def models(self, providers: Sequence[str]) -> dict[str, ModelRoute]:
        routes: dict[str, ModelRoute] = {}
        for path, table in self._tables("models"):
            route = self._validated(ModelRoute, path, table)
            if route is not None:
                routes[path[1]] = route
            for index, provider in _providers(table.get("targets")):
                if provider not in providers:
                    self._wrong((*path, "targets", index), _unknown_provider(provider, providers))
        return routes

    def plugins(self) -> list[PluginTable]:
        tables: dict[tuple[str | int, ...], PluginTable] = {}
        for kind in (name for name in self.document.data if name in KINDS):
            for path, table in self._tables(kind):
                use = table.get("use", path[1])
                if not isinstance(use, str):
                    self._wrong((*path, "use"), "must be the name of a plugin, as a string")
                elif not _NAME.fullmatch(path[1]):
                    self._wrong(path, "a plugin's name is made of letters, digits, '-' and '_', 100 at most")
                else:
                    values = {key: value for key, value in table.items() if key != "use"}
                    tables[path] = PluginTable(kind, path[1], use, MappingProxyType(values))
        return [tables[path] for path in self.document.in_order(tables)]

    def _tables(self, kind: str) -> Iterator[tuple[tuple[str, str], Data]]:
        """The tables `[kind.name]`, without the ones that are no tables."""
        outer = self.document.data.get(kind, {})
        if not isinstance(outer, Mapping):
            self._wrong((kind,), f"must hold tables: [{kind}.NAME]")
            return
        for name, table in cast("Data", outer).items():
            if isinstance(table, Mapping):
                yield (kind, name), cast("Data", table)
            else:
                self._wrong((kind, name), f"must be a table: [{kind}.NAME] and below it {name} = …")

    def _validated(self, model: type[ModelT], path: tuple[str, ...], table: Data) -> ModelT | None:
        try:
            return validate(model, self.document, path, table)
        except Invalid as error:
            self.problems.extend(error.problems)
            return None

    def _wrong(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self.document.problem(path, message))


def _no_tables(data: Any) -> Iterator[str]:
    """What a mapping can have wrong and a TOML file cannot."""
    if not isinstance(data, Mapping):
        yield f"the config must be a mapping of tables, as plugins.toml has them, not {type(data).__name__}"
        return
    for name, table in cast("Mapping[object, object]", data).items():
        inner = cast("Mapping[object, object]", table) if isinstance(table, Mapping) else ()
        for key in filter(lambda key: not isinstance(key, str), (name, *inner)):
            where = "the config" if key is name else f"[{name}]"
            yield f"{where}: the key {key!r} must be a string, not {type(key).__name__}"


def _providers(targets: Any) -> Iterator[tuple[int, str]]:
    """The providers that targets name, also when the table they are in is not valid as a whole."""
    for index, target in enumerate(cast("list[Any]", targets) if isinstance(targets, list) else []):
        to: Any = cast("Data", target).get("to") if isinstance(target, Mapping) else target
        if isinstance(to, str) and TARGET.fullmatch(to):
            yield index, to.partition(":")[0]


def _unknown_provider(name: str, providers: Sequence[str]) -> str:
    return f"unknown provider '{name}'{did_you_mean(name, providers) or f'; add a table [provider.{name}]'}"


def config_path(option: str | None = None) -> Path:
    """Which config file to use: the given one, else that of GATEWAY_CONFIG, else ./plugins.toml."""
    return Path(option or environment().get(VARIABLE) or DEFAULT_PATH)


def environment() -> Mapping[str, str]:
    """Give the process's environment, read-only."""
    return MappingProxyType(os.environ)  # noqa: TID251 - one of the two places that read the environment


def proxies_from_environment() -> Proxies:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""
    from gateway.upstream import Proxies  # noqa: PLC0415 - reading a config needs no HTTP client

    return Proxies.from_environment(environment())
