"""Databases of both kinds with the tables of the ledger and of the credits, each copied from one that was made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store import Database
from gateway_credits.plugin import MIGRATIONS

from ... import scratch


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new SQLite database, for what PostgreSQL does no differently."""
    return scratch.sqlite(tmp_path, MIGRATIONS)


@pytest.fixture(params=scratch.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database of each kind."""
    with scratch.database(request.param, tmp_path, MIGRATIONS) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A new database of each kind, opened."""
    database = Database(database_url)
    yield database
    await database.close()
