"""What all tests share: new SQLite databases get their tables from a copy, so that no test waits for every revision."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from gateway.config import environment
from gateway.store import Database, migrate

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

settings.register_profile("ci", derandomize=True, max_examples=30)
if "CI" in environment():  # what passed once must pass again; whoever runs them by hand goes on searching
    settings.load_profile("ci")

BY_REVISIONS: Any = migrate._upgrade_branch  # pyright: ignore[reportPrivateUsage]
"""How the gateway makes its tables; for the tests of just that."""


@pytest.fixture(scope="session", autouse=True)
def quick_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the core's tables in an empty SQLite database by the statements that the revisions came to."""
    made: list[tuple[list[str], list[str]]] = []

    def statements() -> tuple[list[str], list[str]]:
        if not made:
            made.append(_made_by_revisions(tmp_path_factory.mktemp("tables") / "gateway.db"))
        return made[0]

    def upgrade_branch(connection: Connection, branch: Any) -> list[str]:
        empty = connection.dialect.name == "sqlite" and not _tables(connection)
        if not empty or branch.folder != migrate.CORE:
            return BY_REVISIONS(connection, branch)
        created, ran = statements()
        for statement in created:
            connection.exec_driver_sql(statement)
        return ran

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade_branch", upgrade_branch)
        yield


@pytest.fixture
def by_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No short cut, where the way is what is tested."""
    monkeypatch.setattr(migrate, "_upgrade_branch", BY_REVISIONS)


def _tables(connection: Connection) -> list[Any]:
    return [*connection.exec_driver_sql("SELECT name FROM sqlite_master")]


def _made_by_revisions(path: Path) -> tuple[list[str], list[str]]:
    """The statements that make the tables, and the revisions that they stand for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade_branch", BY_REVISIONS)
        ran = _run(path)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        created = [sql for (sql,) in rows if not sql.startswith("CREATE TABLE sqlite_")]
        versions = connection.execute("SELECT version_num FROM alembic_version")
        created += [f"INSERT INTO alembic_version VALUES ('{version}')" for (version,) in versions]
    return created, ran


def _run(path: Path) -> list[str]:
    found: list[list[str]] = []

    async def upgrade() -> None:
        database = Database(f"sqlite:///{path}")
        found.append(await migrate.upgrade(database))
        await database.close()

    # In a thread of its own: whoever needs tables first may be inside a running loop.
    thread = threading.Thread(target=lambda: asyncio.run(upgrade()))
    thread.start()
    thread.join()
    return found[0]
