"""Databases of both kinds with the tables of the ledger and of invoices, each copied from one that was made once."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.config import environment
from gateway.store import Database
from gateway.store.database import connect_postgres
from gateway.store.migrate import upgrade
from gateway_invoices.plugin import MIGRATIONS

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
def invoices_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("invoices") / "gateway.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, invoices_file: Path) -> str:
    shutil.copy(invoices_file, tmp_path / "gateway.db")
    return f"sqlite:///{tmp_path / 'gateway.db'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    name = f"invoices_{uuid.uuid4().hex}"
    try:
        asyncio.run(_execute(f"CREATE DATABASE {name}"))
    except OSError as error:
        if "CI" in environment():
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    asyncio.run(_migrate(f"{POSTGRES}/{name}"))
    yield f"{POSTGRES}/{name}"
    asyncio.run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    yield database
    await database.close()


@pytest.fixture(params=["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgres)])
def either_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def either(either_url: str) -> AsyncIterator[Database]:
    """For what the databases might do differently."""
    database = Database(either_url)
    yield database
    await database.close()
