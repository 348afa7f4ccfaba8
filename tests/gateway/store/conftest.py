"""A journal on tables to try it on."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from gateway.store import Database
from gateway.store.journal import Journal

from .chores import metadata


@pytest.fixture
async def tables(database: Database) -> Database:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


@pytest.fixture
async def journal(tables: Database) -> AsyncGenerator[Journal]:
    journal = Journal(tables)
    await journal.start()
    yield journal
    await journal.stop(5)
