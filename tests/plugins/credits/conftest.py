"""Databases of both kinds with the tables of the ledger and of the credits, each copied from one that was made once."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store import Database
from gateway.store.database import connect_postgres
from gateway.store.migrate import upgrade
from gateway_credits.plugin import MIGRATIONS

POSTGRES = "postgresql://root@127.0.0.1:5432"


async def _execute(statement: str) -> None:
    server = await connect_postgres(f"{POSTGRES}/test")
    try:
        await server.execute(statement)
    finally:
        await server.close()


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade(database, [MIGRATIONS])
    await database.close()


@pytest.fixture(scope="session")
def credits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("credits") / "gateway.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def credits_postgres() -> Iterator[str]:
    """The name of a PostgreSQL database with all tables, to be copied."""
    name = f"credits_{uuid.uuid4().hex}"
    try:
        asyncio.run(_execute(f"CREATE DATABASE {name}"))
    except OSError as error:
        if "CI" in os.environ:  # noqa: TID251 - tells a machine that must have PostgreSQL
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    asyncio.run(_migrate(f"{POSTGRES}/{name}"))
    yield name
    asyncio.run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def sqlite_url(tmp_path: Path, credits_file: Path) -> str:
    """A new SQLite database, for what PostgreSQL does no differently."""
    shutil.copy(credits_file, tmp_path / "gateway.db")
    return f"sqlite:///{tmp_path / 'gateway.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A new database of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    template = request.getfixturevalue("credits_postgres")
    name = f"{template[:20]}_{uuid.uuid4().hex}"
    asyncio.run(_execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield f"{POSTGRES}/{name}"
    asyncio.run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A new database of each kind, opened."""
    database = Database(database_url)
    yield database
    await database.close()
