"""What commands share: finding the config, the database and the plugins of the command line's `-c`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config import Config
    from gateway.registry import Registry
    from gateway.store import Database


@dataclass(slots=True)
class CommandLine:
    """The options that stand before the command; `ctx.obj` of every command."""

    option: str | None = None
    """The value of `-c`."""
    config: Config | None = None


def path_of(ctx: click.Context) -> Path:
    """Give the path of the config in use; the file need not exist."""
    from gateway.config import config_path

    return config_path(ctx.ensure_object(CommandLine).option)


def config_of(ctx: click.Context) -> Config:
    """Read the config in use, once. Raises `ConfigError`, which `gateway` prints."""
    from gateway.config import Config

    line = ctx.ensure_object(CommandLine)
    if line.config is None:
        line.config = Config.from_file(path_of(ctx))
    return line.config


def database_of(ctx: click.Context) -> Database:
    """Give the database of the config in use; no plugin is imported. The caller closes it."""
    from gateway.store import Database

    return Database(config_of(ctx).settings.database.reveal())


def registry_of(ctx: click.Context) -> Registry:
    """Build the plugins of the config in use, without starting them."""
    from gateway.plugin import Context
    from gateway.registry import Registry
    from gateway.upstream import Client

    return Registry.build(config_of(ctx), Context(client=Client(), database=database_of(ctx)))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
"""The shared `--json`; the command gets `as_json: bool`."""
