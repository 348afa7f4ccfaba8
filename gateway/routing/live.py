"""The names that clients may call: those of the config, and over them those that were made while the gateway runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gateway.settings import ModelRoute
from gateway.store.model_routes import REVISION, StoredRoute, all_routes
from gateway.types import Target

if TYPE_CHECKING:
    from gateway.routing.table import RoutingTable
    from gateway.store import Database
    from gateway.store.changes import Changes


class Entry(Struct, frozen=True, kw_only=True):
    """What holds for a name."""

    name: str
    route: ModelRoute | None
    """None where only whether it may be called is said, of a `provider/model` for one."""
    source: Literal["config", "api"]
    in_config: bool
    """Whether the config has the name, too: what it says there holds again without the entry."""
    enabled: bool
    row: StoredRoute | None
    """What is stored; None for a name of the config alone."""


def layered(config: Mapping[str, ModelRoute], rows: Sequence[StoredRoute]) -> dict[str, Entry]:
    """Lay the stored entries over those of the config, which they replace: all by name, sorted.

    A stored entry without targets leaves the config's in place, and only says whether the name may be called.
    """
    entries = {
        name: Entry(name=name, route=route, source="config", in_config=True, enabled=True, row=None)
        for name, route in config.items()
    }
    for row in rows:
        route = config.get(row.name)
        if row.targets:
            route = ModelRoute.model_validate({"targets": list(row.targets), "policy": row.policy})
        entries[row.name] = Entry(
            name=row.name,
            route=route,
            source="api",
            in_config=row.name in config,
            enabled=row.enabled,
            row=row,
        )
    return dict(sorted(entries.items()))


def targets_of(route: ModelRoute) -> list[Target]:
    """The targets of a name in the order in which they are tried."""
    in_order = sorted(route.targets, key=lambda target: target.tier)
    return [Target(target.provider, target.model) for target in in_order]


class LiveRoutes:
    """Tells the routing table of every change, on every worker within a second."""

    def __init__(self, table: RoutingTable, config: Mapping[str, ModelRoute]) -> None:
        self._table = table
        self._config = config
        self.entries: Mapping[str, Entry] = {}
        """By name, sorted."""
        self._use(())

    async def startup(self, database: Database, changes: Changes) -> None:
        """Read the stored entries, and watch them from now on. Raises what the database raises."""

        async def refresh(_revision: int) -> None:
            self._use(await all_routes(database))

        await changes.watch(REVISION, refresh)

    def _use(self, rows: Sequence[StoredRoute]) -> None:
        self.entries = layered(self._config, rows)
        self._table.use(
            {
                entry.name: targets_of(entry.route)
                for entry in self.entries.values()
                if entry.route is not None and entry.enabled
            },
            frozenset(entry.name for entry in self.entries.values() if not entry.enabled),
        )
