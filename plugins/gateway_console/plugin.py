"""The plugin: which pages there are. What it needs to draw them is imported with the first one that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway_console.routes import routes

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


class ConsoleConfig(PluginConfig):
    """The table `[service.console]`."""

    title: str = Field(
        default="Gateway", min_length=1, max_length=40, description="What the pages call this gateway."
    )


class Console(Plugin[ConsoleConfig]):
    """Shows people the pages to sign in and to look after their account: keys, sessions, ways to sign in."""

    id = "service.console"
    Config = ConsoleConfig

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return routes(self.context, self.config.title)
