"""Both databases, new for each test; and calls to write into them."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import Database
from gateway.types import Call, Outcome, Principal, Usage

from .. import scratch


@pytest.fixture(params=scratch.KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind that has no tables yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gateway.db'}"
    else:
        with scratch.empty_postgres() as url:
            yield url


@pytest.fixture(params=scratch.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind, with its tables."""
    with scratch.database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """A database of each kind, with its tables."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied: so a test waits for no migration."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"
    path.write_bytes(scratch.sqlite_file())
    return path


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncGenerator[Database]:
    """A SQLite database with its tables, for what PostgreSQL does no differently."""
    database = Database(scratch.sqlite(tmp_path))
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
