"""Both databases, new for each test; and calls to write into them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import environment
from gateway.store import Database
from gateway.store.database import connect_postgres
from gateway.store.migrate import upgrade
from gateway.types import Call, Outcome, Principal, Usage

POSTGRES = "postgresql://root@127.0.0.1:5432"


@contextlib.asynccontextmanager
async def _scratch_postgres() -> AsyncGenerator[str]:
    """The URL of a new PostgreSQL database, dropped afterwards."""
    try:
        server = await connect_postgres(f"{POSTGRES}/test")
    except OSError as error:
        if "CI" in environment():
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    name = f"gateway_{uuid.uuid4().hex}"
    await server.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{POSTGRES}/{name}"
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gateway.db'}"
    else:
        async with _scratch_postgres() as url:
            yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """A database of each kind, with its tables."""
    database = Database(database_url)
    await upgrade(database)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied: so a test waits for no migration."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"

    async def make() -> None:
        database = Database(f"sqlite:///{path}")
        await upgrade(database)
        await database.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def sqlite(migrated: Path, tmp_path: Path) -> AsyncGenerator[Database]:
    """A SQLite database with its tables, for what PostgreSQL does no differently."""
    shutil.copy(migrated, tmp_path / "gateway.db")
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    yield database
    await database.close()


@pytest.fixture
def make_call() -> Callable[..., Call]:
    def make(**changes: Any) -> Call:
        now = time.time()
        values: dict[str, Any] = {
            "id": f"{int(now * 1000):012x}{os.urandom(8).hex()}",
            "request_id": "req_1",
            "client_request_id": None,
            "capability": "chat",
            "dialect": "openai.chat",
            "model": "mock/fast",
            "stream": False,
            "shows_usage": False,
            "body": b"{}",
            "principal": Principal(
                tenant="acme", authenticator="test", user="ann", key="key_1", key_name="laptop"
            ),
            "received_at": now,
        }
        return Call(**{**values, **changes})

    return make


@pytest.fixture
def make_outcome() -> Callable[..., Outcome]:
    def make(**changes: Any) -> Outcome:
        now = time.time()
        values: dict[str, Any] = {
            "status": "success",
            "provider": "mock",
            "upstream_model": "fast",
            "attempts": 1,
            "http_status": 200,
            "first_byte_at": now,
            "ended_at": now,
            "usage": Usage(prompt_tokens=10, completion_tokens=20, cached_read_tokens=3, reasoning_tokens=4),
            "price_version": "2026-01",
            "cost": 1_500,
        }
        return Outcome(**{**values, **changes})

    return make
