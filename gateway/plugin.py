"""What a plugin is: a class with an id, a config and hook implementations."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import pluggy
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pathlib import Path

    from limits.aio.storage import Storage

    from gateway.store import Database
    from gateway.upstream import Client

API_VERSION = 1
"""The version of the plugin interface that this gateway speaks."""

hookimpl = pluggy.HookimplMarker("gateway")
"""Marks a method of a `Plugin` as the implementation of a hook."""


class PluginConfig(BaseModel):
    """The settings of a plugin. Unknown keys are errors, every field has a description, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Context:
    """What the gateway lends to its plugins. Connections open on first use, so holding it costs nothing."""

    def __init__(self, *, client: Client, database: Database) -> None:
        self.client = client
        """The HTTP client that providers send through."""
        self.database = database
        """The gateway's database."""
        self.counters: Storage | None = None
        """Shared storage for limits, when a plugin registered one; set before `startup`."""
        self.workers = 1
        """How many processes serve this config."""
        self.shared_folder: Path | None = None
        """With several workers, a folder for files that are theirs alone; it goes away when the last one ends."""


ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class Plugin(Generic[ConfigT]):
    """Base class of all plugins.

    Life: load → validate → construct → register → startup → … → shutdown. Constructing has no side effects:
    open nothing and start nothing before `startup`.
    """

    id: ClassVar[str]
    """`<kind>.<name>`, the same as the entry point."""
    api: ClassVar[int] = API_VERSION
    Config: ClassVar[type[PluginConfig]] = PluginConfig

    def __init__(self, name: str, config: ConfigT, context: Context) -> None:
        self.name = name
        """The instance name: the part after the dot in `[provider.NAME]`."""
        self.config = config
        self.context = context
        self.log = logging.getLogger(f"gateway.plugin.{self.id}")

    async def startup(self) -> None:
        """Open what the plugin needs. Raising stops the gateway from starting."""

    async def check(self) -> None:
        """Prove that the plugin can do its work; called by `gateway check --live`. Raise when it cannot."""

    async def shutdown(self) -> None:
        """Close what `startup` opened. Called in reverse order, also when a later plugin failed to start."""
