"""Work on the database of the config in use, as the gateway's operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.options import database_of
from gateway.commands import run_on

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from gateway.store import Database

T = TypeVar("T")


def on_database(
    ctx: click.Context, work: Callable[[Database], Awaitable[T]], migrations: Sequence[Path] = ()
) -> T:
    """Run `work` on the configured database, brought up to date first, with the tables of plugins in `migrations`.

    Raises `Unavailable`.
    """
    database = database_of(ctx)
    return run_on(database, lambda: work(database), migrations)
