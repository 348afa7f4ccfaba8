"""Reading all revisions, several times a second: so cheaply that nobody notices."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from gateway.errors import Unavailable
from gateway.store.tables import revisions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.store.database import Database

_BUSY_SECONDS: Final = 0.05
"""Readers of a write-ahead log wait for nobody, but for a moment when it is begun anew."""


class Revisions:
    """The revisions by name. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: _File | None = None

    async def read(self) -> Mapping[str, int]:
        """Return what they are now. Raises `Unavailable`."""
        if self._database.dialect == "sqlite":
            if self._file is None:
                self._file = _File(self._database.path)
            return self._file.read()
        async with self._database.connect() as connection:
            rows = await connection.execute(select(revisions.c.name, revisions.c.value))
            return {row.name: row.value for row in rows}

    def close(self) -> None:
        """Let go of the file; it is opened again when need be."""
        if self._file is not None:
            self._file.close()


class _File:
    """A SQLite file, read in the event loop itself: that takes microseconds, where SQLAlchemy and its thread take 4 ms."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = 0
        self._found: Mapping[str, int] = {}

    def read(self) -> Mapping[str, int]:
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
            # Another number than before after anybody else's commit: https://sqlite.org/pragma.html#pragma_data_version
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._found = dict(connection.execute("SELECT name, value FROM revisions"))
                self._version = version
        except sqlite3.Error as error:
            self.close()
            raise Unavailable("The gateway's database does not answer.") from error
        return self._found

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._version = 0
        if connection is not None:
            connection.close()
