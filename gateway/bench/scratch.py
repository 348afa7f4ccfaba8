"""A temporary database of the same kind as the operator's, on the same disk or server."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from gateway.errors import GatewayError
from gateway.store import Database
from gateway.store.database import connect_postgres


@contextmanager
def scratch_database(url: str, fallback: Path) -> Generator[str]:
    """Give the URL of a database that is gone afterwards. SQLite takes `fallback` where its own folder is read-only.

    Raises `GatewayError` when the PostgreSQL role may not create databases.
    """
    database = Database(url)
    if database.dialect == "sqlite":
        beside = Path(database.path).absolute().parent
        folder = beside if beside.is_dir() and os.access(beside, os.W_OK) else fallback
        inside = Path(tempfile.mkdtemp(prefix=".gateway-bench-", dir=folder))
        try:
            yield f"sqlite:///{inside / 'bench.db'}?synchronous={database.synchronous}"
        finally:
            shutil.rmtree(inside)
        return
    name = f"gateway_bench_{secrets.token_hex(4)}"
    asyncio.run(_execute(database.dsn, f'CREATE DATABASE "{name}"'))
    try:
        yield urlunsplit(urlsplit(database.dsn)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(database.dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(dsn: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415 - an extra

    try:
        connection = await connect_postgres(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    except asyncpg.InsufficientPrivilegeError:
        raise GatewayError(
            "Measuring with PostgreSQL needs a scratch database, and the role of the config may not create one: "
            "ALTER ROLE … CREATEDB, or measure with a config whose role may."
        ) from None
    except (OSError, asyncpg.PostgresError) as error:
        raise GatewayError(f"The scratch database for measuring cannot be reached: {error}") from None
