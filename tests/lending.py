"""PostgreSQL databases for tests, used again and again: to make one and to drop it takes longer than most tests.

A database is lent to one test at a time, and emptied before the next. One that then is not as its template was, since
a test has changed its tables, is dropped instead. Each has the process that made it in its name: what a process that
was killed left behind is dropped by the next.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.store import Database
from gateway.store.database import connect_postgres
from gateway.store.migrate import upgrade

POSTGRES = "postgresql://root@127.0.0.1:5432"

_LOOK = """
SELECT concat(
  string_agg(format('%s %s %s %s', attrelid, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum),
  (SELECT string_agg(format('%s %s %s', tgrelid, tgname, tgenabled), ',' ORDER BY oid) FROM pg_trigger)
) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
"""
"""What there is: tables, indexes and sequences with their columns, and triggers."""

_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
)

_ALONE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_AFRESH = """
SELECT setval(sequencename::regclass, start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL
"""


class Lending:
    """The databases that have the tables of one set of revisions."""

    def __init__(self, locations: tuple[Path, ...]) -> None:
        self._locations = locations
        self._template = ""
        self._rows: dict[str, str] = {}
        self._look = ""
        self._free: list[str] = []

    async def lend(self) -> str:
        """Return the name of an empty database that nobody else has."""
        if not self._template:
            self._template = await self._make_template()
        return self._free.pop() if self._free else await create(f"TEMPLATE {self._template}")

    async def take_back(self, name: str) -> None:
        """Empty it for the next, or drop it."""
        if await self._emptied(name):
            self._free.append(name)
        else:
            await drop(name)

    async def drop_all(self) -> None:
        """Drop what is not lent, and the template."""
        for name in filter(None, [*self._free, self._template]):
            await drop(name)
        self._free, self._template = [], ""

    async def _make_template(self) -> str:
        name = await create()
        database = Database(f"{POSTGRES}/{name}")
        await upgrade(database, self._locations)
        await database.close()
        async with connection(name) as server:
            self._look = await server.fetchval(_LOOK)
            for (table,) in await server.fetch(_TABLES):
                if rows := await _rows(server, table):
                    self._rows[table] = rows
        return name

    async def _emptied(self, name: str) -> bool:
        async with connection(name) as server:
            await server.execute(_ALONE)
            await server.execute("SET session_replication_role = replica")  # no trigger keeps any row
            if await server.fetchval(_LOOK) != self._look:
                return False
            tables = {table for (table,) in await server.fetch(_TABLES)} - {*self._rows}
            filled = " UNION ALL ".join(
                f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables
            )
            for (table,) in await server.fetch(filled):
                await server.execute(
                    f"DELETE FROM {table}"
                )  # which is quicker than TRUNCATE, where rows are few
            await server.execute(_AFRESH)
            return {table: await _rows(server, table) for table in self._rows} == self._rows


async def create(options: str = "") -> str:
    """Make a database, and return its name. Raises `OSError` where no server answers."""
    name = f"scratch_{os.getpid()}_{uuid.uuid4().hex}"
    async with connection("postgres") as server:
        await server.execute(f"CREATE DATABASE {name} {options}")
    return name


async def drop(name: str) -> None:
    """Drop a database, whoever uses it. One that is gone is none to be sorry for: two may drop what a third left behind."""
    async with connection("postgres") as server:
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def drop_left_behind() -> None:
    """Drop the databases of processes that are no more. Raises `OSError` where no server answers."""
    async with connection("postgres") as server:
        names = [name for (name,) in await server.fetch("SELECT datname FROM pg_database")]
    for name in names:
        made = re.match(r"scratch_(\d+)_", name)
        if made and not Path(f"/proc/{made[1]}").exists():
            await drop(name)


@asynccontextmanager
async def connection(name: str) -> AsyncGenerator[Any]:
    """Connect to a database for the length of a block. Raises `OSError` where no server answers."""
    server = await connect_postgres(f"{POSTGRES}/{name}")
    try:
        yield server
    finally:
        await server.close()


async def _rows(server: Any, table: str) -> str | None:
    """All that is in a table, as text."""
    return await server.fetchval(f"SELECT string_agg(t::text, ',' ORDER BY t::text) FROM {table} AS t")
