"""The journal's way into SQLite: one thread with a connection of its own."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

from gateway.errors import GatewayError
from gateway.store.backend import Away, CompiledGuard, Refused, Sums, Unwritable, compile_guard
from gateway.store.database import Database, prepare_sqlite
from gateway.store.writes import Add, Guard, Insert, Transition, Unit, is_guarded

_Job: TypeAlias = tuple[Sequence[Unit], asyncio.Future[Mapping[int, GatewayError]]]

log = logging.getLogger("gateway.journal")

_BUSY_MS = 1000


class SqliteBackend:
    """Hands batches to the thread, and its answers back to the event loop: one hop each way for a whole batch."""

    def __init__(self, database: Database) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = _Writer(database)
        self._thread = threading.Thread(target=self._work, name="gateway journal", daemon=True)
        self._thread.start()

    async def write(self, units: Sequence[Unit]) -> Mapping[int, GatewayError]:
        answer: asyncio.Future[Mapping[int, GatewayError]] = self._loop.create_future()
        self._jobs.put((units, answer))
        return await answer

    async def close(self) -> None:
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            units, answer = job
            result: Mapping[int, GatewayError] | Exception
            try:
                result = self._writer.write(units)
            except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
                result = error
            try:
                self._loop.call_soon_threadsafe(_deliver, answer, result)
            except RuntimeError:  # the event loop is gone, and with it everyone who would care
                break
        self._writer.close()


def _deliver(
    answer: asyncio.Future[Mapping[int, GatewayError]], result: Mapping[int, GatewayError] | Exception
) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)


class _Writer:
    """What the thread does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._sql: dict[Insert | Transition | Add, str] = {}
        self._guards: dict[Guard, CompiledGuard] = {}

    def write(self, units: Sequence[Unit]) -> dict[int, GatewayError]:
        try:
            cursor = self._open().cursor()
            cursor.execute("BEGIN IMMEDIATE")
            refused = self._write_all(cursor, units)
            cursor.execute("COMMIT")
        except (
            sqlite3.IntegrityError,
            sqlite3.DataError,
            sqlite3.ProgrammingError,
            sqlite3.InterfaceError,
        ) as error:
            self._undo()
            raise Unwritable(str(error)) from error
        except sqlite3.Error as error:
            self._undo()
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # the statement is wrong: no such table
                raise Unwritable(str(error)) from error
            raise Away(f"{self._database.shown}: {error}") from error
        except Exception as error:
            self._undo()
            raise Unwritable(f"{type(error).__name__}: {error}") from error
        return refused

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._database.path, isolation_level=None)
            try:
                prepare_sqlite(connection, self._database.synchronous)
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _undo(self) -> None:
        """Roll back and close; the next batch begins anew.

        Closing is not enough: a cursor that a traceback keeps alive would keep the transaction, and its lock, as well.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.rollback()
        except sqlite3.Error as error:
            log.warning("rolling back failed, the connection is closed: %s", error)
        connection.close()

    def _write_all(self, cursor: sqlite3.Cursor, units: Sequence[Unit]) -> dict[int, GatewayError]:
        refused: dict[int, GatewayError] = {}
        sums = Sums()
        for place, unit in enumerate(units):
            if not is_guarded(unit):
                self._write_unit(cursor, unit, sums)
                continue
            own = Sums()
            cursor.execute("SAVEPOINT unit")
            try:
                self._write_unit(cursor, unit, own)
            except Refused as answer:
                cursor.execute("ROLLBACK TO unit")
                refused[place] = answer.refusal
            else:
                sums.merge(own)
            cursor.execute("RELEASE unit")
        for statement, rows in sums:
            cursor.executemany(self._sql_of(statement), rows)
        return refused

    def _write_unit(self, cursor: sqlite3.Cursor, unit: Unit, sums: Sums) -> None:
        for write in unit:
            statement = write.statement
            if isinstance(statement, Add):
                sums.add(statement, write.values)
                continue
            if isinstance(statement, Guard):
                sql, arrange = self._guards.get(statement) or self._guard(statement)
                cursor.execute(sql, arrange(write.values))
                if cursor.rowcount < 1:
                    raise Refused(statement.refusal())
            else:
                cursor.execute(self._sql_of(statement), write.values)
            if write.then and cursor.rowcount > 0:
                self._write_unit(cursor, write.then, sums)

    def _sql_of(self, statement: Insert | Transition | Add) -> str:
        sql = self._sql.get(statement)
        if sql is None:
            sql = self._sql[statement] = _sql(statement)
        return sql

    def _guard(self, guard: Guard) -> CompiledGuard:
        compiled = self._guards[guard] = compile_guard(guard, sqlite.dialect())
        return compiled


def _sql(statement: Insert | Transition | Add) -> str:
    """The statement in SQLite's words; its parameters come in the order of a write's values."""
    table = _quoted(statement.table.name)
    match statement:
        case Insert(columns=columns, table=Table(primary_key=key)):
            conflict = f" ON CONFLICT ({_names(key.columns.keys())}) DO NOTHING" if statement.has_key else ""
            return f"INSERT INTO {table} ({_names(columns)}) VALUES ({_marks(columns)}){conflict}"  # noqa: S608 - names of our own tables
        case Transition(columns=columns, key=key, leaves=state):
            changes = ", ".join(f"{_quoted(name)} = ?" for name in columns)
            return f"UPDATE {table} SET {changes} WHERE {_quoted(key)} = ? AND status = '{state}'"  # noqa: S608
        case Add(keys=keys, amounts=amounts):
            columns = (*keys, *amounts)
            sums = ", ".join(
                f"{_quoted(name)} = {_quoted(name)} + excluded.{_quoted(name)}" for name in amounts
            )
            return (
                f"INSERT INTO {table} ({_names(columns)}) VALUES ({_marks(columns)})"  # noqa: S608
                f" ON CONFLICT ({_names(keys)}) DO UPDATE SET {sums}"
            )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _names(columns: Iterable[str]) -> str:
    return ", ".join(_quoted(name) for name in columns)


def _marks(columns: Iterable[str]) -> str:
    return ", ".join("?" for _ in columns)
