"""The plugins of one gateway: loaded, validated, constructed and registered in file order; then never changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, Self

from pluggy import PluginManager, PluginValidationError

from gateway.document import did_you_mean
from gateway.errors import ConfigError, GatewayError, PluginError
from gateway.facade import HOOKS, Facade, Registered
from gateway.hookspecs import Hooks
from gateway.loader import LoadedPlugin, SkippedPlugin, load

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.plugin import Context, Plugin

log = logging.getLogger("gateway.registry")


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A line of `gateway plugins`."""

    id: str
    kind: str
    instance: str
    """The table's own name, `provider.openai_eu`."""
    distribution: str
    """Name and version."""
    hooks: tuple[str, ...] = ()
    state: str = "enabled"
    """`enabled`, `skipped` or `installed` (not named in the config)."""
    reason: str = ""
    """Why it was skipped."""


class Registry:
    """The plugins that a config enables. Make one with `build`."""

    def __init__(
        self, manager: PluginManager, registered: Sequence[Registered], skipped: Sequence[SkippedPlugin]
    ) -> None:
        self._manager = manager
        self._registered = tuple(registered)
        self._started: list[Registered] = []
        self.skipped = tuple(skipped)
        self.facade = Facade(manager, registered)

    @classmethod
    def build(cls, config: Config, context: Context, extra: Sequence[type[Plugin[Any]]] = ()) -> Self:
        """Load, validate, construct and register every plugin of the config; nothing is started.

        `extra` are plugin classes that are known without being installed. Raises `ConfigError` with the problems of
        all plugins, or `PluginError` where a single one cannot be constructed, or for the first that cannot be registered.
        """
        loading = load(config.plugins, config.document, extra)
        registered: list[Registered] = []
        failed: list[PluginError] = []
        for loaded in loading.plugins:
            try:
                registered.append(_construct(loaded, context))
            except PluginError as error:
                failed.append(error)
        if loading.problems or len(failed) > 1:
            causes = [*loading.causes, *failed]
            problems = [problem.text for problem in sorted(loading.problems)]
            problems += [error.message for error in failed]
            cause = ExceptionGroup("plugins could not be loaded", causes) if causes else None
            raise ConfigError(problems) from cause
        if failed:
            raise failed[0]
        manager = PluginManager("gateway")
        manager.add_hookspecs(Hooks)
        for plugin in registered:
            _register(manager, plugin)
        registry = cls(manager, registered, loading.skipped)
        context.migrations = registry.facade.migrations
        return registry

    @property
    def plugins(self) -> tuple[Plugin[Any], ...]:
        """The instances in file order."""
        return tuple(registered.plugin for registered in self._registered)

    async def start(self) -> None:
        """Start the plugins in file order. When one fails, stop those that run and raise `PluginError`."""
        for skipped in self.skipped:
            log.warning("[%s] is skipped: %s", skipped.table.instance, skipped.reason)
        for registered in self._registered:
            try:
                await registered.plugin.startup()
            except Exception as error:
                await self.stop()
                raise registered.error("startup", _worded(error)) from error
            except BaseException:
                await self.stop()
                raise
            self._started.append(registered)

    async def stop(self) -> None:
        """Shut down the started plugins in reverse order; one that fails is logged and does not stop the rest."""
        while self._started:
            registered = self._started.pop()
            try:
                await registered.plugin.shutdown()
            except Exception as error:
                problem = registered.error("shutdown", _worded(error))
                log.exception("%s", problem)

    async def check(self) -> dict[str, str]:
        """Ask every plugin to prove that it can work; give the failures by instance. Start the plugins first."""
        failures: dict[str, str] = {}
        for registered in self._registered:
            try:
                await registered.plugin.check()
            except Exception as error:  # noqa: BLE001 - a plugin may fail in any way, and the others are asked too
                failures[registered.instance] = _worded(error)
        return failures

    def describe(self) -> list[PluginInfo]:
        """Describe the enabled plugins in the order they run in, then the skipped ones."""
        enabled = [
            PluginInfo(
                id=registered.plugin.id,
                kind=registered.plugin.id.partition(".")[0],
                instance=registered.instance,
                distribution=registered.distribution,
                hooks=_hooks(self._manager, registered.plugin),
            )
            for registered in self._registered
        ]
        return enabled + [
            PluginInfo(
                id=skipped.table.plugin,
                kind=skipped.table.kind,
                instance=skipped.table.instance,
                distribution=skipped.distribution,
                state="skipped",
                reason=skipped.reason,
            )
            for skipped in self.skipped
        ]


def _construct(loaded: LoadedPlugin, context: Context) -> Registered:
    table = loaded.table
    cause: Exception | None = None
    try:
        plugin = loaded.cls(table.name, loaded.config, context)
        if all(hasattr(plugin, member) for member in ("name", "config", "context", "log")):
            return Registered(plugin, table.instance, loaded.distribution)
        problem = "__init__ must call super().__init__(name, config, context)"
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; raised again below
        cause, problem = error, _worded(error)
    raise PluginError(
        problem,
        phase="construct",
        plugin=table.plugin,
        instance=table.instance,
        distribution=loaded.distribution,
    ) from cause


def _register(manager: PluginManager, registered: Registered) -> None:
    """Register one plugin; one by one, so that what is wrong is known to be this one's fault."""
    plugin = registered.plugin
    try:
        manager.register(plugin, name=registered.instance)
    except PluginValidationError as error:
        raise registered.error("register", str(error).splitlines()[-1]) from error
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            raise registered.error(
                "register", f"unknown hook '{caller.name}'{did_you_mean(caller.name, HOOKS)}"
            )
        impl = next(impl for impl in caller.get_hookimpls() if impl.plugin is plugin)
        if impl.tryfirst or impl.trylast or impl.wrapper or impl.hookwrapper:
            problem = f"{caller.name}: order comes from the config file, so use @hookimpl without options"
            raise registered.error("register", problem)
        if iscoroutinefunction(impl.function) or isgeneratorfunction(impl.function):
            problem = f"{caller.name}: hooks are neither async nor generators; return a list"
            raise registered.error("register", problem)
    marked = {caller.name for caller in callers}
    for name in HOOKS:
        if name not in marked and hasattr(plugin, name):
            raise registered.error("register", f"{name} is not marked with @hookimpl")


def _hooks(manager: PluginManager, plugin: Plugin[Any]) -> tuple[str, ...]:
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    return tuple(name for name in HOOKS if name in implemented)


def _worded(error: BaseException) -> str:
    return error.message if isinstance(error, GatewayError) else f"{type(error).__name__}: {error}"
