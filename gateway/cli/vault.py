"""`gateway vault`: the master keys of the vault. Works on the database, so the gateway may run or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import config_of, json_option
from gateway.cli.work import on_database
from gateway.commands import command_actor

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.vault import Vault
    from gateway.vault.rotation import Rotated

_HOW = """\
Keep it where the gateway can read it and nobody else, and name it in plugins.toml:

  [gateway.vault]
  master_key = { env = "GATEWAY_MASTER_KEY" }      # or { file = "master.key" }

Without it nothing in the vault can be opened: keep a copy apart from the backups of the database."""


@click.group()
def vault() -> None:
    """Make, inspect and rotate the keys that seal credentials."""


@vault.command()
@json_option
def init(as_json: bool) -> None:
    """Make a master key and show it, once. It is stored nowhere."""
    from gateway.vault.master import new_master_key

    key = new_master_key()
    if as_json:
        click.echo(json.dumps({"master_key": key}))
        return
    click.echo("A new master key:\n")
    click.secho(f"  {key}\n", bold=True)
    click.echo(_HOW)


@vault.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the master keys and how many credentials each seals. Exits with 1 when some cannot be opened."""
    from gateway.store.credentials import all_credentials
    from gateway.vault import CannotOpen
    from gateway.vault.credentials import place_of

    async def work(database: Database) -> tuple[list[dict[str, Any]], dict[str, str]]:
        keys = await opened_vault(ctx)
        rows = await all_credentials(database)
        broken: dict[str, str] = {}
        for row in rows:
            try:
                keys.open(row.sealed, place_of(row))
            except CannotOpen as problem:
                broken[row.id] = problem.message
        counts = {key: sum(row.master_key == key for row in rows) for key in keys.key_ids}
        seals = keys.key_ids[:1]
        return [{"id": key, "seals": key in seals, "credentials": n} for key, n in counts.items()], broken

    keys, broken = on_database(ctx, work)
    if as_json:
        click.echo(json.dumps({"keys": keys, "cannot_open": broken}))
    else:
        for key in keys:
            use = "seals" if key["seals"] else "opens"
            click.echo(f"{key['id']}  {use}  {_credentials(key['credentials'])}")
        if not keys:
            click.echo("No master key is configured. Make one: gateway vault init")
        _complain(broken)
    ctx.exit(1 if broken else 0)


@vault.command()
@json_option
@click.pass_context
def rotate(ctx: click.Context, as_json: bool) -> None:
    """Wrap everything in the vault with the first master key.

    Name the new key as `master_key`, the old one in `previous_keys`, and run this; gateways may serve meanwhile, and
    what broke off is carried on by running it again. When it ends well, the old key can go.
    """
    from gateway.vault.rotation import rotate

    async def work(database: Database) -> Rotated:
        return await rotate(database, await opened_vault(ctx), actor=command_actor())

    rotated = on_database(ctx, work)
    if as_json:
        click.echo(json.dumps({"key": rotated.key, "done": rotated.done, "cannot_open": rotated.failed}))
    else:
        click.echo(f"The master key {rotated.key} now seals {_credentials(rotated.done)} more.")
        _complain(rotated.failed)
    ctx.exit(1 if rotated.failed else 0)


async def opened_vault(ctx: click.Context) -> Vault:
    """Return the vault of the config in use, with its keys. Raises `ConfigError`."""
    from gateway.vault import Vault

    settings = config_of(ctx).settings.vault
    vault = Vault(settings.keys(), command=settings.master_key_command)
    await vault.startup()
    return vault


def _credentials(count: int) -> str:
    return "1 credential" if count == 1 else f"{count} credentials"


def _complain(broken: dict[str, str]) -> None:
    for credential, problem in broken.items():
        click.echo(f"{credential} cannot be opened: {problem}", err=True)
