"""The command line `gateway`. Each command is a module of its own here, imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from gateway import __version__
from gateway.cli.options import config_option, path_of, registry_of, with_config_option, words
from gateway.errors import ConfigError, GatewayError

COMMANDS: Mapping[str, str] = {
    "serve": "Serve the gateway over HTTP.",
    "check": "Check the config and the plugins.",
    "init": "Write a starter plugins.toml.",
    "plugins": "List the plugins in the order they run.",
    "schema": "Print the JSON Schema of plugins.toml.",
    "keys": "Create, list, revoke and rotate API keys.",
    "components": "Register and remove services that sign their calls.",
    "credentials": "Keep credentials of providers in the vault.",
    "vault": "Make, inspect and rotate the keys that seal credentials.",
    "tenants": "Create, change, suspend, erase and export tenants.",
    "users": "Invite people, change their roles, disable and erase them.",
    "models": "List, show and check the models that may be called.",
    "prices": "List, explain, compare, exchange and change prices.",
    "login": "Sign in to a gateway as yourself.",
    "whoami": "Show as whom you are signed in.",
    "logout": "Sign out of a gateway.",
    "calls": "List and show calls in the ledger.",
    "events": "Show how far sinks have come, and send calls again.",
    "reconcile": "Compare the ledger with a provider's usage export.",
    "audit": "List, verify and export the audit log.",
    "db": "Upgrade and inspect the database.",
    "new": "Start a plugin package of your own.",
    "bench": "Measure the gateway on this machine.",
}
"""The gateway's own commands and what `gateway --help` says of them, without importing them."""


class Commands(click.Group):
    """The gateway's own commands, and those of the plugins that the config enables; all are imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(command.name or "" for command in _plugin_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return with_config_option(getattr(import_module(f"gateway.cli.{cmd_name}"), cmd_name))
        return next((command for command in _plugin_commands(ctx) if command.name == cmd_name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchOption:
            raise
        except click.UsageError as error:
            more = (
                f"Plugins bring theirs when {path_of(ctx)} enables them; to name another config, "
                "put it before the command: gateway -c FILE COMMAND"
            )
            raise click.UsageError(f"{error.format_message()} {more}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        path = path_of(ctx)
        if path.exists():  # to know more is to import every plugin that it enables
            formatter.write_paragraph()
            formatter.write_text(f"The plugins of {path} may bring more; to list them: gateway plugins")

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            ctx.exit(2)
        except GatewayError as error:
            click.echo(f"gateway: {words(error)}", err=True)
            ctx.exit(1)


def _plugin_commands(ctx: click.Context) -> tuple[click.Command, ...]:
    if not path_of(ctx).exists():
        return ()
    return registry_of(ctx).facade.commands(taken=COMMANDS)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """An AI gateway: one endpoint in front of many providers, built from plugins.

    `gateway init` writes a first config, `gateway keys create --name me` makes a key, `gateway serve` runs.
    """
