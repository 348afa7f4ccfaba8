"""`gateway db`: bring the database's tables up to date, and look at how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.options import database_of, registry_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.store import Database

T = TypeVar("T")


@click.group()
def db() -> None:
    """Upgrade and inspect the database."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create and upgrade the tables, those of the enabled plugins too.

    `gateway serve` does the same when it starts; running this twice, or from several places at once, does no harm.

    Before a new version changes the tables, stop every worker of the old one: it would write to tables that are gone.
    """
    from gateway.store.migrate import upgrade

    ran = on_database(ctx, lambda database: upgrade(database, _migrations(ctx)))
    for revision in ran:
        click.echo(f"Ran {revision}.")
    if not ran:
        click.echo("The database is up to date.")


@db.command()
@click.pass_context
def current(ctx: click.Context) -> None:
    """Print the revisions that have run, and those that have not."""
    from gateway.store.migrate import current, heads

    migrations = _migrations(ctx)
    stands = on_database(ctx, lambda database: current(database, migrations))
    for branch, wanted in heads(migrations).items():
        for revision in sorted(stands[branch]):
            click.echo(f"{branch} {revision}" + ("" if revision in wanted else " (not the newest)"))
        for revision in sorted(wanted - stands[branch]):
            click.echo(f"{branch} {revision} (has not run: gateway db upgrade)")


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Compare the tables with what the gateway needs. Exits with 1 when they differ."""
    from gateway.store.migrate import check

    differences = on_database(ctx, lambda database: check(database, _migrations(ctx)))
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        ctx.exit(1)
    click.echo("The database is as it should be.")


@db.command()
@click.pass_context
def url(ctx: click.Context) -> None:
    """Print which database the config names, without its password."""
    click.echo(database_of(ctx).shown)


def on_database(ctx: click.Context, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the configured database. Raises `Unavailable` when it cannot be reached."""

    async def run() -> T:
        database = database_of(ctx)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def _migrations(ctx: click.Context) -> Sequence[Path]:
    return registry_of(ctx).facade.migrations()
