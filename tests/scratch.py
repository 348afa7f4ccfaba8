"""New databases for tests: copies of ones that have all tables, so that no test waits for every revision.

The tables are those of the core, and of the plugins whose revisions lie in `locations`.
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
import uuid
from collections.abc import Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config import environment
from gateway.store import Database
from gateway.store.database import connect_postgres
from gateway.store.migrate import upgrade

POSTGRES = "postgresql://root@127.0.0.1:5432"
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
"""Parameters of a fixture that gives a database of each kind."""

_templates: dict[tuple[Path, ...], str] = {}


@contextmanager
def database(kind: str, folder: Path, *locations: Path) -> Generator[str]:
    """Make a database of one of the `KINDS` with those tables, and give its URL. A file lies in `folder`."""
    if kind == "sqlite":
        yield sqlite(folder, *locations)
    else:
        with postgres(*locations) as url:
            yield url


def sqlite(folder: Path, *locations: Path) -> str:
    """Make the SQLite file `gateway.db` in a folder, with those tables, and give its URL."""
    path = folder / "gateway.db"
    path.write_bytes(sqlite_file(*locations))
    return f"sqlite:///{path}"


@functools.cache
def sqlite_file(*locations: Path) -> bytes:
    """Make what is in such a file."""
    with tempfile.TemporaryDirectory(prefix="gateway-tables-") as folder:
        path = Path(folder) / "gateway.db"
        _run(_upgrade(f"sqlite:///{path}", locations))
        return path.read_bytes()


@contextmanager
def postgres(*locations: Path) -> Generator[str]:
    """Make a PostgreSQL database with those tables, and give its URL; it is dropped afterwards."""
    if locations not in _templates:
        name = _create()
        _run(_upgrade(f"{POSTGRES}/{name}", locations))
        _templates[locations] = name
    yield from _lent(_create(f"TEMPLATE {_templates[locations]}"))


@contextmanager
def empty_postgres() -> Generator[str]:
    """Make a PostgreSQL database without any tables, and give its URL; it is dropped afterwards."""
    yield from _lent(_create())


def drop_templates() -> None:
    """Drop what the others were copied from."""
    for name in _templates.values():
        _drop(name)
    _templates.clear()


def _lent(name: str) -> Iterator[str]:
    try:
        yield f"{POSTGRES}/{name}"
    finally:
        _drop(name)


def _create(options: str = "") -> str:
    name = f"scratch_{uuid.uuid4().hex}"
    try:
        _run(_execute(f"CREATE DATABASE {name} {options}"))
    except OSError as error:
        if "CI" in environment():
            raise
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}: {error}")
    return name


def _drop(name: str) -> None:
    _run(_execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(statement: str) -> None:
    server = await connect_postgres(f"{POSTGRES}/postgres")
    try:
        await server.execute(statement)
    finally:
        await server.close()


async def _upgrade(url: str, locations: tuple[Path, ...]) -> None:
    database = Database(url)
    await upgrade(database, locations)
    await database.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Do it in a thread: whoever needs a database may be inside a running event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
