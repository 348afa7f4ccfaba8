"""`gateway plugins`: what runs, in which order, and what else is installed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_of, json_option, registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from gateway.registry import PluginInfo

_WIDTH_FOR_ALL = 96
"""On a narrower terminal the table does not say which distribution a plugin is from; --json does."""


@click.command()
@json_option
@click.pass_context
def plugins(ctx: click.Context, *, as_json: bool) -> None:
    """List the plugins in the order they run, then those that are skipped or not enabled, and their commands.

    With --json one object per line.
    """
    from gateway.cli import COMMANDS

    registry = registry_of(ctx)
    commands = registry.facade.commands(taken=COMMANDS)
    found = registry.describe()
    found += _not_enabled({table.plugin for table in config_of(ctx).plugins})
    if as_json:
        for plugin in found:
            click.echo(json.dumps(asdict(plugin)))
    else:
        _print_table(found)
        if commands:
            formatter = click.HelpFormatter(width=ctx.terminal_width)
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(one.name or "", one.get_short_help_str()) for one in commands])
            click.echo(formatter.getvalue(), nl=False)


def _not_enabled(enabled: set[str]) -> Iterator[PluginInfo]:
    from gateway.loader import Catalogue
    from gateway.registry import PluginInfo

    catalogue = Catalogue()
    for plugin in catalogue:
        if plugin not in enabled:
            kind = plugin.partition(".")[0]
            yield PluginInfo(plugin, kind, plugin, catalogue.distribution(plugin), state="installed")


def _print_table(found: Sequence[PluginInfo]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("table", style="bold", no_wrap=True)
    table.add_column("gives")
    if console.width >= _WIDTH_FOR_ALL:
        table.add_column("from", style="dim", no_wrap=True)
    for number, plugin in enumerate(found, 1):
        name = Text(f"[{plugin.instance}]")
        if plugin.id != plugin.instance:
            name.append(f" ({plugin.id.partition('.')[2]})", style="not bold")
        order = str(number) if plugin.state == "enabled" else ""
        cells = (order, name, _gives(plugin), plugin.distribution)
        table.add_row(*cells[: len(table.columns)])
    console.print(table)


def _gives(plugin: PluginInfo) -> Text:
    from rich.text import Text

    match plugin.state:
        case "enabled":
            return Text(
                ", ".join(hook.removeprefix("register_") for hook in plugin.hooks) or "nothing", "green"
            )
        case "skipped":
            return Text(f"skipped: {plugin.reason}", "yellow")
        case _:
            return Text("installed, not enabled", "dim")
