"""What all tests share: new SQLite databases get their tables from a copy, so that no test waits for every revision."""

from __future__ import annotations

import functools
import gc
from collections.abc import Generator, Iterator
from typing import Any

import httpcore2
import pytest
from httpx2._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection

from gateway.config import environment
from gateway.store import database, migrate
from gateway.store.journal import Journal

from . import scratch

# What passed once must pass again, also on a busy machine. `pytest --hypothesis-profile=search` goes on searching.
settings.register_profile(
    "usual", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("usual"), max_examples=30)
settings.register_profile("search", settings.get_profile("usual"), derandomize=False)
settings.load_profile("ci" if "CI" in environment() else "usual")

BY_REVISIONS: Any = migrate._upgrade_branch  # pyright: ignore[reportPrivateUsage]
"""How the gateway makes its tables; for the tests of just that."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among all that is imported now: it stays, and looking took two fifths of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def quick_tables() -> Iterator[None]:
    """Make a branch's tables in a SQLite database without any by the statements that its revisions came to."""
    made: dict[Any, tuple[list[str], list[str]]] = {}

    def upgrade_branch(connection: Connection, branch: Any) -> list[str]:
        if connection.dialect.name != "sqlite" or branch.table in _tables(connection):
            return BY_REVISIONS(connection, branch)
        if branch not in made:
            made[branch] = _made_by_revisions(branch)
        created, ran = made[branch]
        for statement in created:
            connection.exec_driver_sql(statement)
        return [*ran]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_upgrade_branch", upgrade_branch)
        yield
    scratch.drop_all()


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """Have all HTTP clients trust the same context: one of its own takes each of them twenty times as long as a request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", functools.cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> Iterator[None]:
    """Let HTTP clients wait as long as a busy machine takes: what they wait for without being told is five seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "read", "write", "pool"):
            patch.setattr(DEFAULT_TIMEOUT_CONFIG, name, 60.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_gateways() -> Iterator[None]:
    """Let calls wait for the database as long as this machine takes; tests of impatience say how much they have."""
    defaults = Journal.__init__.__kwdefaults__
    assert defaults is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(defaults, "patience", 60.0)
        patch.setattr(database, "_SQLITE_BUSY_MS", 60_000)
        patch.setattr("gateway_apikey.snapshot.LOOK_UP_SECONDS", 60.0)
        yield


@pytest.fixture
def by_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No short cut, where the way is what is tested."""
    monkeypatch.setattr(migrate, "_upgrade_branch", BY_REVISIONS)


def _tables(connection: Connection) -> list[Any]:
    return [name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master")]


def _made_by_revisions(branch: Any) -> tuple[list[str], list[str]]:
    """The statements that make the tables, and the revisions that they stand for."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        ran = BY_REVISIONS(connection, branch)
        rows = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        )
        created = [sql for (sql,) in rows if not sql.startswith("CREATE TABLE sqlite_")]
        versions = connection.exec_driver_sql(f"SELECT version_num FROM {branch.table}")
        created += [f"INSERT INTO {branch.table} VALUES ('{version}')" for (version,) in versions]
    engine.dispose()
    return created, ran
