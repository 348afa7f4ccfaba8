"""New databases for tests: copies of ones that have all tables, so that no test waits for every revision.

The tables are those of the core, and of the plugins whose revisions lie in `locations`.
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.config import environment
from gateway.store import Database
from gateway.store.migrate import upgrade

from . import lending

T = TypeVar("T")

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
"""Parameters of a fixture that gives a database of each kind."""

_lent: dict[tuple[Path, ...], lending.Lending] = {}


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
    """Lend a PostgreSQL database with those tables, and give its URL; afterwards nothing is connected to it."""
    _find_postgres()
    lent = _lent.setdefault(locations, lending.Lending(locations))
    name = _run(lent.lend())
    try:
        yield f"{lending.POSTGRES}/{name}"
    finally:
        _run(lent.take_back(name))


@contextmanager
def empty_postgres() -> Generator[str]:
    """Make a PostgreSQL database without any tables, and give its URL; it is dropped afterwards."""
    _find_postgres()
    name = _run(lending.create())
    try:
        yield f"{lending.POSTGRES}/{name}"
    finally:
        _run(lending.drop(name))


def drop_all() -> None:
    """Drop the PostgreSQL databases that nobody has borrowed, and what they were copied from."""
    for lent in _lent.values():
        _run(lent.drop_all())


@functools.cache
def _find_postgres() -> None:
    """Skip the test where there is no server; where there is one, tidy up after processes that were killed."""
    try:
        _run(lending.drop_left_behind())
    except OSError as error:
        if "CI" in environment():
            raise
        pytest.skip(f"no PostgreSQL answers at {lending.POSTGRES}: {error}")


async def _upgrade(url: str, locations: tuple[Path, ...]) -> None:
    database = Database(url)
    await upgrade(database, locations)
    await database.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Do it in a thread: whoever needs a database may be inside a running event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
