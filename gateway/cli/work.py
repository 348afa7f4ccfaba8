"""What commands share that work on the database as the gateway's operator."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.options import database_of

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from gateway.store import Database
    from gateway.store.audit import Actor

T = TypeVar("T")


def on_database(
    ctx: click.Context, work: Callable[[Database], Awaitable[T]], migrations: Sequence[Path] = ()
) -> T:
    """Run `work` on the configured database, brought up to date first, with the tables of plugins in `migrations`.

    Raises `Unavailable`.
    """
    from gateway.store.migrate import needs_upgrade, upgrade

    async def run() -> T:
        database = database_of(ctx)
        try:
            if await needs_upgrade(database, migrations):
                await upgrade(database, migrations)
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def command_actor() -> Actor:
    """Who runs this command, for the audit log: the login, where the system tells one."""
    from gateway.store.audit import Actor

    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # what it raises depends on the version of Python
        login = "unknown"
    return Actor(kind="command", id=login)
