"""What commands share that work on the database as the gateway's operator: the gateway's own, and those of plugins."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.store import Database
    from gateway.store.audit import Actor

T = TypeVar("T")


def run_on(database: Database, work: Callable[[], Awaitable[T]], migrations: Sequence[Path] = ()) -> T:
    """Run `work` once the database is up to date, the tables of plugins in `migrations` too, and close the database.

    Raises `Unavailable`, and what `work` raises.
    """
    # Here, as everything that commands need, so that `gateway --help` is quick.
    from gateway.store.migrate import needs_upgrade, upgrade  # noqa: PLC0415

    async def run() -> T:
        try:
            if await needs_upgrade(database, migrations):
                await upgrade(database, migrations)
            return await work()
        finally:
            await database.close()

    return asyncio.run(run())


def command_actor() -> Actor:
    """Who runs this command, for the audit log: the login, where the system tells one."""
    from gateway.store.audit import Actor  # noqa: PLC0415

    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # what it raises depends on the version of Python
        login = "unknown"
    return Actor(kind="command", id=login)
