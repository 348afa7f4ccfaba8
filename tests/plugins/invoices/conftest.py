"""Databases of both kinds with the tables of the ledger and of invoices, each copied from one that was made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store import Database
from gateway_invoices.plugin import MIGRATIONS

from ... import scratch


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return scratch.sqlite(tmp_path, MIGRATIONS)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    with scratch.postgres(MIGRATIONS) as url:
        yield url


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
