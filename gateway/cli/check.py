"""`gateway check`: everything that is wrong with the config, and with the plugins it enables."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from gateway.cli.options import config_of, json_option, path_of, words
from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    from gateway.app import Gateway


@click.command()
@click.option("--live", is_flag=True, help="Also start the plugins and let each prove that it can work.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, live: bool, as_json: bool) -> None:
    """Check the config and build the gateway from it, without serving.

    Prints every problem with its place in the file. Exits with 2 when there is one.
    """
    problems: list[str] = []
    skipped: dict[str, str] = {}
    try:
        gateway = _built(ctx)
        skipped = {plugin.table.instance: plugin.reason for plugin in gateway.registry.skipped}
        if live:
            problems = asyncio.run(_live(gateway))
    except ConfigError as error:
        problems = list(error.problems)
    except GatewayError as error:
        problems = [words(error)]
    if as_json:
        click.echo(json.dumps({"ok": not problems, "problems": problems, "skipped": skipped}))
    else:
        _print(ctx, problems, skipped)
    ctx.exit(2 if problems else 0)


def _built(ctx: click.Context) -> Gateway:
    from gateway.app import Gateway
    from gateway.cli import COMMANDS

    gateway = Gateway(config_of(ctx))
    gateway.registry.facade.commands(taken=COMMANDS)
    return gateway


async def _live(gateway: Gateway) -> list[str]:
    """Start as `gateway serve` does, ask every plugin, and stop again."""
    async with gateway.lifespan():
        failures = await gateway.registry.check()
    return [f"[{instance}] {failure}" for instance, failure in failures.items()]


def _print(ctx: click.Context, problems: list[str], skipped: dict[str, str]) -> None:
    from rich.console import Console

    for problem in problems:
        click.echo(problem, err=True)
    console = Console(highlight=False, soft_wrap=True)
    for instance, reason in skipped.items():
        console.print(f"[yellow]skipped[/] \\[{instance}]: {reason}")
    if not problems:
        console.print(f"[green]{path_of(ctx)} is fine[/]")
