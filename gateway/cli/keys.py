"""`gateway keys`: create, list, change, revoke and rotate API keys. Works on the database: the gateway need not run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import msgspec

from gateway.cli.key_options import CLEARABLE, key_options, settings_from
from gateway.cli.key_view import print_table, record, show_new, show_one
from gateway.cli.options import config_of, json_option, path_of
from gateway.cli.times import Duration
from gateway.cli.work import on_database
from gateway.commands import command_actor

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gateway.store import Database
    from gateway.store.key_rows import ApiKey


@click.group()
def keys() -> None:
    """Create, list, change, revoke and rotate API keys."""


@keys.command()
@click.option("--name", required=True, help="What the key is for; shown in lists and in the ledger.")
@click.option("--tenant", default="default", show_default=True, help="Whom its calls are counted for.")
@click.option("--owner", help="The user or service account that it belongs to, and can do no more than.")
@key_options
@json_option
@click.pass_context
def create(
    ctx: click.Context, name: str, tenant: str, owner: str | None, as_json: bool, **given: Any
) -> None:
    """Create a key and show it, once."""
    from gateway.store.keys import create_key

    settings = settings_from(given)
    row, key = on_database(
        ctx,
        lambda database: create_key(
            database, name, tenant=tenant, settings=settings, owner=owner, actor=command_actor()
        ),
    )
    show_new(row, key, as_json=as_json)
    if not any(table.plugin == "auth.apikey" for table in config_of(ctx).plugins):
        click.echo(f"Keys count for nothing until {path_of(ctx)} has a table [auth.apikey].", err=True)


@keys.command("list")
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--all", "with_inactive", is_flag=True, help="Also those that are expired or revoked.")
@json_option
@click.pass_context
def list_(ctx: click.Context, tenant: str | None, with_inactive: bool, as_json: bool) -> None:
    """List keys, oldest first. With --json one object per line."""
    from gateway.store.keys import list_keys, tenant_keys

    def work(database: Database) -> Awaitable[list[ApiKey]]:
        if tenant is None:
            return list_keys(database, with_inactive=with_inactive)
        return tenant_keys(database, tenant, with_inactive=with_inactive)

    rows = on_database(ctx, work)
    if as_json:
        for row in rows:
            click.echo(json.dumps(record(row)))
    elif rows:
        print_table(rows)
    elif tenant is not None:
        click.echo(f"The tenant '{tenant}' has no API keys.")
    else:
        click.echo("No API keys yet. Create one: gateway keys create --name laptop")


@keys.command()
@click.argument("key", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, key: str, as_json: bool) -> None:
    """Show all that is known of a key, but for its secret. ID may be the beginning of an id, or the name."""
    from gateway.store.keys import find_key

    show_one(on_database(ctx, lambda database: find_key(database, key)), as_json=as_json)


@keys.command()
@click.argument("key", metavar="ID")
@click.option("--name", help="What the key is for.")
@key_options
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(CLEARABLE),
    help="Take this restriction away; may be repeated.",
)
@json_option
@click.pass_context
def update(ctx: click.Context, key: str, clear: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Change what is named; everything else stays. ID may be the beginning of an id, or the name.

    A list that is given replaces the one that was there. Running gateways know within a second.
    """
    from gateway.store.key_rows import NOTHING
    from gateway.store.keys import change_key, find_key

    async def work(database: Database) -> ApiKey:
        found = await find_key(database, key)
        limits = None if found.limits is None else msgspec.structs.asdict(found.limits)
        settings = settings_from(given, clear=clear, limits=limits)
        if settings == NOTHING:
            raise click.UsageError("Name something to change; `gateway keys update --help` lists what.")
        return await change_key(database, found.tenant, found.id, settings, actor=command_actor())

    show_one(on_database(ctx, work), as_json=as_json)


@keys.command()
@click.argument("key", metavar="ID")
@click.pass_context
def revoke(ctx: click.Context, key: str) -> None:
    """Revoke a key, for good. ID may be the beginning of an id, or the name.

    Running gateways refuse it within a second.
    """
    from gateway.store.keys import find_key, revoke_key

    async def work(database: Database) -> ApiKey:
        found = await find_key(database, key)
        return await revoke_key(database, found.tenant, found.id, actor=command_actor())

    row = on_database(ctx, work)
    click.echo(f"Revoked {row.id} ({row.name}, {row.hint}).")


@keys.command()
@click.argument("key", metavar="ID")
@click.option(
    "--overlap",
    "overlap_seconds",
    type=Duration(),
    default=0.0,
    help="How long the old secret goes on working: 10m, 1h. Default: not at all.",
)
@json_option
@click.pass_context
def rotate(ctx: click.Context, key: str, overlap_seconds: float, as_json: bool) -> None:
    """Replace the secret of a key and show the new one, once. ID may be the beginning of an id, or the name.

    Everything else stays; only the id is a new one.
    """
    from gateway.store.keys import find_key, rotate_key

    async def work(database: Database) -> tuple[ApiKey, str]:
        old = await find_key(database, key)
        return await rotate_key(
            database, old.tenant, old.id, overlap_seconds=overlap_seconds, actor=command_actor()
        )

    row, secret = on_database(ctx, work)
    show_new(row, secret, as_json=as_json)


@keys.command()
@click.option("--name", required=True, help="What the key is for.")
@click.pass_context
def ensure(ctx: click.Context, name: str) -> None:
    """Create a key of that name, unless there is an active one."""
    from gateway.store.keys import ensure_key

    row, key = on_database(ctx, lambda database: ensure_key(database, name, actor=command_actor()))
    if key is not None:
        show_new(row, key, as_json=False)
    else:
        click.echo(f"The API key '{row.name}' exists ({row.id}, {row.hint}).")
        click.echo(f"Lost it? Replace it: gateway keys rotate {row.id}")
