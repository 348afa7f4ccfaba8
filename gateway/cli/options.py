"""What commands share: finding the config, the database and the plugins of the command line's `-c`."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config import Config
    from gateway.errors import GatewayError
    from gateway.registry import Registry
    from gateway.store import Database


@dataclass(slots=True)
class CommandLine:
    """The options that stand before the command; `ctx.obj` of every command."""

    option: str | None = None
    """The value of `-c`."""
    config: Config | None = None


def command_line(ctx: click.Context) -> CommandLine:
    """Give what the options before the command say."""
    return ctx.find_root().ensure_object(CommandLine)


def path_of(ctx: click.Context) -> Path:
    """Give the path of the config in use; the file need not exist."""
    from gateway.config import config_path

    return config_path(command_line(ctx).option)


def config_of(ctx: click.Context) -> Config:
    """Read the config in use, once. Raises `ConfigError`, which `gateway` prints."""
    from gateway.config import Config

    line = command_line(ctx)
    if line.config is None:
        line.config = Config.from_file(path_of(ctx))
    return line.config


def database_of(ctx: click.Context) -> Database:
    """Give the database of the config in use; no plugin is imported. The caller closes it."""
    return config_of(ctx).database()


def registry_of(ctx: click.Context) -> Registry:
    """Build the plugins of the config in use, without starting them."""
    from gateway.parts import charges_of
    from gateway.plugin import Context
    from gateway.registry import Registry
    from gateway.upstream import Client

    config, context = config_of(ctx), Context(client=Client(), database=database_of(ctx))
    registry = Registry.build(config, context)
    context.charges = charges_of(config, registry.facade.providers)
    return registry


def _remember(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        command_line(ctx).option = value


config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The config file.  [default: $GATEWAY_CONFIG, else plugins.toml]",
    expose_value=False,
    is_eager=True,
    callback=_remember,
)
"""`-c FILE`; may stand before or behind the command."""


def with_config_option(command: click.Command) -> click.Command:
    """Give a copy of the command, and of the commands in it, that takes `-c` too."""
    command = copy(command)
    command.params = [*command.params]
    config_option(command)
    if isinstance(command, click.Group):
        command.commands = {name: with_config_option(inner) for name, inner in command.commands.items()}
    return command


def words(error: GatewayError) -> str:
    """Word an error for the operator: its message, and its notes, which no client sees."""
    return " ".join([error.message, *getattr(error, "__notes__", ())])


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
"""The shared `--json`; the command gets `as_json: bool`."""
