"""One typed method for every hook: asks the plugins in file order, checks what they return, names who is to blame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gateway.billing import Adjusts, OnSettled
from gateway.doors import Compares
from gateway.errors import PluginError
from gateway.hookspecs import Hooks
from gateway.interceptor_shape import problem_of
from gateway.plugin import Plugin
from gateway.protocols import (
    AdminEndpoint,
    AroundAttempt,
    AroundCall,
    Authenticator,
    Billing,
    OnFinished,
    Provider,
    SignIn,
    Sink,
    Transport,
)

if TYPE_CHECKING:
    import click
    from limits.aio.storage import Storage
    from pluggy import PluginManager
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

T = TypeVar("T")

HOOKS = tuple(name for name in vars(Hooks) if name.startswith("register_"))
"""The names of all hooks."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A plugin instance with what identifies it in messages."""

    plugin: Plugin[Any]
    instance: str
    distribution: str

    def error(self, phase: str, problem: str) -> PluginError:
        """Make an error that names this plugin."""
        return PluginError(
            problem,
            phase=phase,
            plugin=self.plugin.id,
            instance=self.instance,
            distribution=self.distribution,
        )


class Facade:
    """Fires the hooks. Every call asks the plugins anew, so call each method once, while the gateway is built."""

    def __init__(self, manager: PluginManager, registered: Sequence[Registered]) -> None:
        self._manager = manager
        self._registered = tuple(registered)

    def providers(self) -> tuple[Provider, ...]:
        found = list(self._ask("register_providers", Provider))
        _refuse_duplicates("register_providers", "provider", _by_name(found))
        return _values(found)

    def authenticators(self) -> tuple[Authenticator, ...]:
        return _values(self._ask("register_authenticators", Authenticator))

    def sign_ins(self) -> tuple[SignIn, ...]:
        found = list(self._ask("register_sign_ins", SignIn))
        _refuse_duplicates("register_sign_ins", "way to sign in", _by_name(found))
        return _values(found)

    def interceptors(self) -> tuple[AroundCall | AroundAttempt | OnFinished, ...]:
        found = list(self._ask("register_interceptors", AroundCall, AroundAttempt, OnFinished))
        for registered, interceptor in found:
            problem = problem_of(interceptor)
            if problem is not None:
                raise registered.error("register_interceptors", problem)
        return _values(found)

    def asgi_middleware(self) -> tuple[Middleware, ...]:
        from starlette.middleware import Middleware  # noqa: PLC0415 - commands that serve nothing do without

        return _values(self._ask("register_asgi_middleware", Middleware))

    def billing(self) -> tuple[Billing | OnSettled, ...]:
        return _values(self._ask("register_billing", Billing, OnSettled))

    def adjusters(self) -> tuple[Adjusts, ...]:
        return _values(self._ask("register_adjusters", Adjusts))

    def comparisons(self) -> tuple[Compares, ...]:
        return _values(self._ask("register_comparisons", Compares))

    def sinks(self) -> tuple[Sink, ...]:
        found = list(self._ask("register_sinks", Sink))
        _refuse_duplicates("register_sinks", "sink", _by_name(found))
        return _values(found)

    def counters(self) -> Storage | None:
        if not self._manager.hook.register_counters.get_hookimpls():
            return None
        from limits.aio.storage import Storage  # noqa: PLC0415 - slow to import, and large

        found = list(self._ask("register_counters", Storage))
        if len(found) > 1:
            (first, _), (second, _), *_ = found
            problem = f"shared storage for counting is already registered by [{first.instance}]"
            raise second.error("register_counters", problem)
        return found[0][1] if found else None

    def routes(self, taken: Collection[str] = ()) -> tuple[BaseRoute, ...]:
        """`taken` are the paths of the gateway's own routes."""
        return self._routes("register_routes", taken)

    def transports(self) -> tuple[Transport, ...]:
        found = list(self._ask("register_transports", Transport))
        _refuse_duplicates("register_transports", "transport", _by_name(found))
        return _values(found)

    def admin_pages(self, taken: Collection[str] = ()) -> tuple[BaseRoute, ...]:
        """`taken` are the paths, below `/admin`, of the gateway's own pages."""
        return self._routes("register_admin_pages", taken)

    def admin_endpoints(self) -> tuple[AdminEndpoint, ...]:
        """Paths that are taken are told by the admin API, which is made when it is first used."""
        return _values(self._ask("register_admin_endpoints", AdminEndpoint))

    def commands(self, taken: Collection[str] = ()) -> tuple[click.Command, ...]:
        """`taken` are the names of the gateway's own commands."""
        import click  # noqa: PLC0415 - serving needs no command line

        found = list(self._ask("register_commands", click.Command))
        _refuse_duplicates("register_commands", "command", _by_name(found), taken)
        return _values(found)

    def migrations(self) -> tuple[Path, ...]:
        """Folders of revisions; one that several instances of a plugin give counts once."""
        folders: dict[Path, None] = {}
        for registered, folder in self._ask("register_migrations", Path):
            if not folder.is_dir():
                raise registered.error("register_migrations", f"{folder} is not a folder")
            folders[folder] = None
        return tuple(folders)

    def _routes(self, hook: str, taken: Collection[str]) -> tuple[BaseRoute, ...]:
        from starlette.routing import BaseRoute  # noqa: PLC0415 - commands that serve nothing do without

        found = list(self._ask(hook, BaseRoute))
        # A plugin may split one path by method among its own routes.
        paths = dict.fromkeys((_path(route), registered) for registered, route in found)
        _refuse_duplicates(hook, "path", ((path, owner) for path, owner in paths if path), taken)
        return _values(found)

    def _ask(self, hook: str, *wanted: type[Any]) -> Iterator[tuple[Registered, Any]]:
        """Ask the plugins one by one, in file order; pluggy by itself would begin with the last."""
        answers = {id(impl.plugin): impl for impl in getattr(self._manager.hook, hook).get_hookimpls()}
        for registered in self._registered:
            impl = answers.get(id(registered.plugin))
            if impl is None:
                continue
            try:
                result = impl.function()
            except PluginError:
                raise
            except Exception as error:
                raise registered.error(hook, f"{type(error).__name__}: {error}") from error
            if not isinstance(result, list | tuple):
                raise registered.error(hook, f"must return a list or a tuple, not {_kind(result)}")
            for item in cast("Sequence[object]", result):
                if isinstance(item, type) or not isinstance(item, wanted):
                    names = " or ".join(kind.__name__ for kind in wanted)
                    problem = f"must return a list of {names}, not of {_kind(item)}{_lacks(item, wanted)}"
                    raise registered.error(hook, problem)
                yield registered, item


def _values(found: Iterable[tuple[Registered, T]]) -> tuple[T, ...]:
    return tuple(item for _, item in found)


def _by_name(found: Iterable[tuple[Registered, Any]]) -> Iterator[tuple[str, Registered]]:
    return ((item.name, registered) for registered, item in found)


def _refuse_duplicates(
    hook: str, noun: str, named: Iterable[tuple[str, Registered]], taken: Collection[str] = ()
) -> None:
    owners = dict.fromkeys(taken, "the gateway itself")
    for name, registered in named:
        if name in owners:
            raise registered.error(hook, f"the {noun} '{name}' is already registered by {owners[name]}")
        owners[name] = f"[{registered.instance}]"


def _path(route: BaseRoute) -> str | None:
    return getattr(route, "path", None)


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__qualname__} itself"
    return "None" if value is None else f"{type(value).__module__}.{type(value).__qualname__}"


def _lacks(item: object, wanted: Sequence[type[Any]]) -> str:
    """Which members of the protocol the object does not have."""
    if len(wanted) > 1 or wanted[0].__module__ != "gateway.protocols" or isinstance(item, type):
        return ""
    members = {**vars(wanted[0]), **wanted[0].__annotations__}
    missing = [name for name in sorted(members) if not name.startswith("_") and not hasattr(item, name)]
    return f" (it lacks {', '.join(missing)})"
