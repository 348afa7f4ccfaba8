"""From the names in plugins.toml to plugin classes with validated configs. Only what is named is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any, cast

from gateway.document import Document, Problem, did_you_mean
from gateway.errors import ConfigError
from gateway.plugin import API_VERSION, Plugin, PluginConfig
from gateway.validation import Invalid, validate

GROUP = "gateway.plugins"
KINDS = ("provider", "auth", "middleware", "billing", "sink", "service")


@dataclass(frozen=True, slots=True)
class PluginTable:
    """A table `[kind.name]` of the config."""

    kind: str
    name: str
    use: str
    values: Mapping[str, Any]
    """The table without `use`."""

    @property
    def plugin(self) -> str:
        """The id of the plugin that it enables."""
        return f"{self.kind}.{self.use}"

    @property
    def instance(self) -> str:
        """The table's own name."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin class and the config for one instance of it."""

    table: PluginTable
    cls: type[Plugin[Any]]
    config: PluginConfig
    distribution: str
    """Name and version."""


@dataclass(frozen=True, slots=True)
class SkippedPlugin:
    """A provider that waits for its secret."""

    table: PluginTable
    distribution: str
    reason: str


@dataclass(slots=True)
class Loading:
    """What loading gave: `plugins` are those without `problems`."""

    plugins: list[LoadedPlugin] = field(default_factory=list[LoadedPlugin])
    skipped: list[SkippedPlugin] = field(default_factory=list[SkippedPlugin])
    problems: list[Problem] = field(default_factory=list[Problem])
    causes: list[Exception] = field(default_factory=list[Exception])
    """The exceptions behind the problems, for a traceback."""


class LoadError(Exception):
    """A plugin cannot be imported or does not fit this gateway."""


class Catalogue:
    """Every installed plugin by its id, not yet imported; `extra` classes come first."""

    def __init__(self, extra: Sequence[type[Plugin[Any]]] = ()) -> None:
        self._extra: dict[str, type[Plugin[Any]]] = {}
        for cls in extra:
            self._add(cls)
        self._installed: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=GROUP):
            self._installed.setdefault(entry.name, []).append(entry)

    def _add(self, found: Any) -> None:
        """Take a class that a program gave. Raises `ConfigError` where it is no plugin, or not the only one of its id."""
        if not (isinstance(found, type) and issubclass(found, Plugin)):
            raise ConfigError([f"plugins: {found!r} is not a subclass of gateway.Plugin"])
        cls = cast("type[Plugin[Any]]", found)
        name = getattr(cls, "id", None)
        if not isinstance(name, str) or name.partition(".")[0] not in KINDS or not name.partition(".")[2]:
            kinds = ", ".join(KINDS)
            problem = f"plugins: {cls.__qualname__}.id must be KIND.NAME, not {name!r}; kinds: {kinds}"
            raise ConfigError([problem])
        if self._extra.setdefault(name, cls) is not cls:
            names = f"{self._extra[name].__qualname__} and {cls.__qualname__}"
            raise ConfigError([f"plugins: {names} both have the id {name!r}"])

    def __contains__(self, plugin: str) -> bool:
        return plugin in self._extra or plugin in self._installed

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._extra, *self._installed}))

    def distribution(self, plugin: str) -> str:
        """Name and version of the distribution that the plugin came in."""
        if plugin in self._extra:
            return f"module {self._extra[plugin].__module__}"
        return _named(self._installed[plugin][0].dist)

    def load(self, plugin: str) -> type[Plugin[Any]]:
        """Import the plugin. Raises `LoadError`."""
        found: Any = self._extra.get(plugin) or self._import(plugin)
        if not (isinstance(found, type) and issubclass(found, Plugin)):
            raise LoadError(f"{found!r} is not a subclass of gateway.Plugin")
        cls = cast("type[Plugin[Any]]", found)
        if getattr(cls, "id", None) != plugin:
            raise LoadError(f"{cls.__qualname__}.id is {getattr(cls, 'id', None)!r}, not {plugin!r}")
        if cls.api > API_VERSION:
            raise LoadError(
                f"it was written for plugin API {cls.api}, this gateway speaks {API_VERSION}: "
                "upgrade asgi-gateway, or install an older version of the plugin"
            )
        config: Any = cls.Config
        if not (isinstance(config, type) and issubclass(config, PluginConfig)):
            raise LoadError(f"{cls.__qualname__}.Config is not a subclass of gateway.PluginConfig")
        for method in ("startup", "check", "shutdown"):
            if not iscoroutinefunction(getattr(cls, method)):
                raise LoadError(f"{cls.__qualname__}.{method} must be an async def")
        return cls

    def _import(self, plugin: str) -> Any:
        entries = self._installed[plugin]
        homes = sorted({_named(entry.dist) for entry in entries})
        if len(homes) > 1:
            raise LoadError(f"installed more than once: {', '.join(homes)}; uninstall all but one")
        try:
            return entries[0].load()
        except ModuleNotFoundError as error:
            raise LoadError(_what_to_install(error, plugin, entries[0].dist)) from error
        except Exception as error:
            raise LoadError(f"{type(error).__name__}: {error}") from error


def load(
    tables: Sequence[PluginTable], document: Document, extra: Sequence[type[Plugin[Any]]] = ()
) -> Loading:
    """Load and validate the plugins of all tables, going on after a failure so that every problem is found."""
    catalogue = Catalogue(extra)
    loading = Loading()
    for table in tables:
        path = (table.kind, table.name)
        if table.plugin not in catalogue:
            loading.problems.append(document.problem(path, _unknown(table, catalogue)))
            continue
        distribution = catalogue.distribution(table.plugin)
        try:
            cls = catalogue.load(table.plugin)
            config = validate(cls.Config, document, path, table.values)
        except Invalid as error:
            if error.unset and table.kind == "provider":
                loading.skipped.append(SkippedPlugin(table, distribution, _not_set(error.unset)))
            else:
                loading.problems.extend(error.problems)
        except LoadError as error:
            message = f"load failed (plugin {table.plugin} from {distribution}): {error}"
            loading.problems.append(document.problem(path, message))
            loading.causes.append(error)
        except Exception as error:  # noqa: BLE001 - a validator may raise anything, and the others are read too
            fault = f"{type(error).__name__}: {error}"
            message = f"validate failed (plugin {table.plugin} from {distribution}): {fault}"
            loading.problems.append(document.problem(path, message))
            loading.causes.append(error)
        else:
            loading.plugins.append(LoadedPlugin(table, cls, config, distribution))
    return loading


def _unknown(table: PluginTable, catalogue: Catalogue) -> str:
    elsewhere = next((kind for kind in KINDS if f"{kind}.{table.use}" in catalogue), None)
    if elsewhere:
        return f"unknown {table.kind} '{table.use}', did you mean [{elsewhere}.{table.name}]?"
    known = [plugin.partition(".")[2] for plugin in catalogue if plugin.startswith(f"{table.kind}.")]
    hint = did_you_mean(table.use, known) or f"; installed: {', '.join(known) or 'none'}"
    return f"unknown {table.kind} '{table.use}'{hint}"


def _not_set(variables: Sequence[str]) -> str:
    names = sorted(set(variables))
    noun, verb = ("variable", "is") if len(names) == 1 else ("variables", "are")
    return f"environment {noun} {', '.join(names)} {verb} not set"


def _named(distribution: Distribution | None) -> str:
    return f"{distribution.name} {distribution.version}" if distribution else "an unknown distribution"


def _what_to_install(error: ModuleNotFoundError, plugin: str, distribution: Distribution | None) -> str:
    """Name the extra that brings the missing module: the plugin's own, or else the one whose metadata names the module."""
    module = (error.name or "").partition(".")[0]
    own, bringing = plugin.partition(".")[2], ""
    for requirement in (distribution.requires or []) if distribution else []:
        found = re.match(r"([A-Za-z0-9._-]+).*\bextra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        # A module may be called otherwise than what it is installed with, so the plugin's own extra goes first.
        if found and found[2] == own:
            bringing = own
            break
        if found and not bringing and re.sub(r"[-_.]+", "_", found[1]).lower() == module.lower():
            bringing = found[2]
    if distribution and bringing and find_spec(module) is None:
        return f'it needs {module}: pip install "{distribution.name}[{bringing}]"'
    return f"it needs the module '{error.name}', which is not installed"
