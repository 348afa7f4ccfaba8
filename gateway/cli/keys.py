"""`gateway keys`: create, list, revoke and rotate API keys. Works on the database, so the gateway need not run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.options import database_of, json_option
from gateway.cli.times import Duration, Moment, rfc3339

if TYPE_CHECKING:
    from gateway.store import Database
    from gateway.store.keys import ApiKey

T = TypeVar("T")

_COLOURS = {"active": "green", "expired": "yellow", "revoked": "red"}


@click.group()
def keys() -> None:
    """Create, list, revoke and rotate API keys."""


@keys.command()
@click.option("--name", required=True, help="What the key is for; shown in lists and in the ledger.")
@click.option("--tenant", default="default", show_default=True, help="Whom its calls are counted for.")
@click.option("--model", "models", multiple=True, help="Allow only this model or `prefix*`; may be repeated.")
@click.option(
    "--expires", "expires_at", type=Moment(future=True), help="When it ends: 30d, 12h or an ISO time."
)
@json_option
@click.pass_context
def create(
    ctx: click.Context,
    name: str,
    tenant: str,
    models: tuple[str, ...],
    expires_at: float | None,
    as_json: bool,
) -> None:
    """Create a key and show it, once."""
    from gateway.store.keys import create_key

    row, key = _on_database(
        ctx,
        lambda database: create_key(
            database, name, tenant=tenant, models=models or None, expires_at=expires_at
        ),
    )
    _show_new(row, key, as_json=as_json)


@keys.command("list")
@click.option("--all", "with_inactive", is_flag=True, help="Also those that are expired or revoked.")
@json_option
@click.pass_context
def list_(ctx: click.Context, with_inactive: bool, as_json: bool) -> None:
    """List keys, oldest first. With --json one object per line."""
    from gateway.store.keys import list_keys

    rows = _on_database(ctx, lambda database: list_keys(database, with_inactive=with_inactive))
    if as_json:
        for row in rows:
            click.echo(json.dumps(_record(row)))
    elif rows:
        _print_table(rows)
    else:
        click.echo("No API keys yet. Create one: gateway keys create --name laptop")


@keys.command()
@click.argument("key", metavar="ID")
@click.pass_context
def revoke(ctx: click.Context, key: str) -> None:
    """Revoke a key, for good. ID may be the beginning of an id, or the name.

    Running gateways refuse it within a second.
    """
    from gateway.store.keys import find_key, revoke_key

    async def work(database: Database) -> ApiKey:
        return await revoke_key(database, (await find_key(database, key)).id)

    row = _on_database(ctx, work)
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

    Name, tenant, models and expiry stay; the id is a new one.
    """
    from gateway.store.keys import find_key, rotate_key

    async def work(database: Database) -> tuple[ApiKey, str]:
        old = await find_key(database, key)
        return await rotate_key(database, old.id, overlap_seconds=overlap_seconds)

    row, secret = _on_database(ctx, work)
    _show_new(row, secret, as_json=as_json)


@keys.command()
@click.option("--name", required=True, help="What the key is for.")
@click.pass_context
def ensure(ctx: click.Context, name: str) -> None:
    """Create a key of that name, unless there is an active one."""
    from gateway.store.keys import ensure_key

    row, key = _on_database(ctx, lambda database: ensure_key(database, name))
    if key is not None:
        _show_new(row, key, as_json=False)
    else:
        click.echo(f"The API key '{row.name}' exists ({row.id}, {row.hint}).")
        click.echo(f"Lost it? Replace it: gateway keys rotate {row.id}")


def _on_database(ctx: click.Context, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the configured database, brought up to date first."""
    from gateway.store.migrate import needs_upgrade, upgrade

    async def run() -> T:
        database = database_of(ctx)
        try:
            if await needs_upgrade(database):
                await upgrade(database)
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def _record(row: ApiKey) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "tenant": row.tenant,
        "hint": row.hint,
        "state": row.state(time.time()),
        "models": row.models,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "revoked_at": rfc3339(row.revoked_at),
    }


def _show_new(row: ApiKey, key: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**_record(row), "key": key}))
        return
    ends = f", until {rfc3339(row.expires_at)}" if row.expires_at else ""
    click.echo(f"API key '{row.name}' ({row.id}), tenant {row.tenant}{ends}:\n")
    click.secho(f"  {key}\n", bold=True)
    click.echo(
        "Keep it now: only a digest is stored, it cannot be shown again. To use it with an OpenAI SDK:\n"
    )
    click.echo("  export OPENAI_BASE_URL=http://127.0.0.1:8080/v1")
    click.echo(f"  export OPENAI_API_KEY={key}\n")


def _print_table(rows: Sequence[ApiKey]) -> None:
    """Print a table without the columns that say nothing, nor those that do not fit."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    now = time.time()
    columns = {
        "id": ([Text(row.id, "cyan") for row in rows], ""),
        "name": ([Text(row.name) for row in rows], ""),
        "tenant": ([Text(row.tenant) for row in rows], "default"),
        "key": ([Text(row.hint) for row in rows], ""),
        "state": ([Text(state := row.state(now), _COLOURS[state]) for row in rows], "active"),
        "models": ([Text("all" if row.models is None else ", ".join(row.models)) for row in rows], "all"),
        "created": ([Text((rfc3339(row.created_at) or "")[:10]) for row in rows], ""),
        "expires": ([Text((rfc3339(row.expires_at) or "never")[:10]) for row in rows], "never"),
    }
    shown = {name: cells for name, (cells, usual) in columns.items() if any(c.plain != usual for c in cells)}
    console = Console()
    widths = {name: max(cell_len(name), *(cell.cell_len for cell in cells)) for name, cells in shown.items()}
    for name in ("created", "models", "tenant", "expires", "key", "name"):
        if sum(widths[column] + 2 for column in shown) - 2 > console.width:
            shown.pop(name, None)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        table.add_column(name, no_wrap=True)
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*cells)
    console.print(table)
