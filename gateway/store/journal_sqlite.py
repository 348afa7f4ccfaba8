"""The journal's way into SQLite: one thread with a connection of its own.

What must be fresh comes first. The other units of a batch are written in groups of like rows: the inserts, then the
transitions, then what hangs on them, then the guards. That presumes that all of them have an effect; when a row has none,
the batch is undone and written unit by unit, and when a guard refuses, those that asked it are. While none does, all
units are written as one group. A unit that is written by itself is under a savepoint.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

from gateway.errors import GatewayError
from gateway.store.backend import (
    Answer,
    Away,
    CompiledGuard,
    Refused,
    Unwritable,
    compile_guard,
)
from gateway.store.checkpoints import Checkpoints
from gateway.store.database import Database, prepare_sqlite
from gateway.store.grouping import (
    Claims,
    Exhausted,
    Placed,
    Sums,
    apart,
    are_one_run,
    by_statement,
    levels,
    not_fresh,
    runs,
)
from gateway.store.writes import Add, Delete, Fresh, Guard, Insert, Transition, Unit, Write

_Job: TypeAlias = tuple[Sequence[Unit], Callable[[Answer], None]]

log = logging.getLogger("gateway.journal")

_BUSY_MS = 1000
_MOST_ROWS = 32
"""Of one insert. The fewer of them the better: each hands the GIL over and back."""
_STATEMENTS = 256
"""Kept ready, for there is one for each number of rows."""

# For a value of a type without an adapter sqlite3 searches for one each time, in vain: a quarter of an insert's time.
# These hold for the whole process, and change nothing in what is stored.
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


class SqliteBackend:
    """Hands batches to the thread, and its answers back to the event loop: one hop each way for a whole batch."""

    def __init__(self, database: Database) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = _Writer(database)
        self._checkpoints = Checkpoints(database)
        self._thread = threading.Thread(target=self._work, name="gateway journal", daemon=True)
        self._thread.start()

    def write(self, units: Sequence[Unit], done: Callable[[Answer], None]) -> None:
        self._jobs.put((units, done))

    async def close(self) -> None:
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        await self._loop.run_in_executor(None, self._checkpoints.stop)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            units, done = job
            answer: Answer
            try:
                answer = self._writer.write(units)
                self._checkpoints.written()
            except (Away, Unwritable) as problem:
                answer = problem
            try:
                self._loop.call_soon_threadsafe(done, answer)
            except RuntimeError:  # the event loop is gone, and with it everyone who would care
                break
            if self._checkpoints.too_long:
                self._checkpoints.too_long = False
                self._writer.begin_log_anew()
        self._writer.close()


class _SomeDidNothing(Exception):
    """Some write of a group, which others hang on, had no effect: which one shows only when each is written alone."""


class _Writer:
    """What the thread does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._sql: dict[tuple[Insert | Transition | Delete | Add, int], str] = {}
        self._guards: dict[Guard, CompiledGuard] = {}
        self._all_passed = True
        """Whether the last batch had no refusals: the next one is then written as if it had none either."""

    def write(self, units: Sequence[Unit]) -> dict[int, GatewayError]:
        try:
            cursor = self._open().cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                refused = self._write_batch(cursor, units)
            except _SomeDidNothing:
                cursor.execute("ROLLBACK")
                cursor.execute("BEGIN IMMEDIATE")
                fresh, others = apart(units)
                refused = self._write_fresh(cursor, fresh) | self._write_singly(cursor, others)
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
            connection = sqlite3.connect(
                self._database.path, isolation_level=None, cached_statements=_STATEMENTS
            )
            try:
                prepare_sqlite(connection, self._database.synchronous)
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                connection.execute("PRAGMA wal_autocheckpoint = 0")  # see Checkpoints
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def begin_log_anew(self) -> None:
        """Bring the rest of the write-ahead log into the database, so that the next commit overwrites its beginning."""
        try:
            self._open().execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except sqlite3.Error as error:
            log.warning("the write-ahead log grows: it cannot be begun anew: %s", error)

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

    def _write_batch(self, cursor: sqlite3.Cursor, units: Sequence[Unit]) -> dict[int, GatewayError]:
        """Write the units in groups; raises `_SomeDidNothing`."""
        writes = levels(chain.from_iterable(units))
        if self._all_passed and are_one_run(writes):
            if self._write_as_one(cursor, writes):
                return {}
            cursor.execute("ROLLBACK")
            cursor.execute("BEGIN IMMEDIATE")
        fresh, others = apart(units)
        refused = self._write_fresh(cursor, fresh) | self._write_together(cursor, others)
        self._all_passed = not refused
        return refused

    def _write_as_one(self, cursor: sqlite3.Cursor, writes: Iterable[Iterable[Write]]) -> bool:
        """Write all units together, and return whether all guards let them pass; raises `_SomeDidNothing`."""
        sums, claims = Sums(), Claims()
        self._write_groups(cursor, writes, sums, claims)
        self._add(cursor, sums)  # what the ends of calls give back is there for those that begin
        return all(self._ask(cursor, key[0], values) for key, values in claims)

    def _write_fresh(
        self, cursor: sqlite3.Cursor, fresh: Mapping[Fresh, Sequence[Placed]]
    ) -> dict[int, GatewayError]:
        """Write rows that must not be there yet; refuse those that are."""
        refused: dict[int, GatewayError] = {}
        for statement, units in fresh.items():
            made: list[tuple[Any, ...]] = []
            for chunk in _chunks([unit[0].values for _, unit in units]):
                cursor.execute(self._sql_of(statement, len(chunk)), tuple(chain.from_iterable(chunk)))
                made += cursor.fetchall()
            if len(made) < len(units):
                refused |= not_fresh(statement, units, made)
        return refused

    def _write_together(self, cursor: sqlite3.Cursor, units: Iterable[Placed]) -> dict[int, GatewayError]:
        refused: dict[int, GatewayError] = {}
        sums = Sums()
        for run in runs(units):
            self._write_groups(cursor, levels(run.first), sums)
            if run.guarded:
                self._add(cursor, sums)  # what the ends of calls give back is there for those that begin
                sums = Sums()
                refused |= self._write_guarded(cursor, run.guarded, sums)
                self._write_groups(cursor, levels(run.last), sums)
            if run.alone is not None:
                self._add(cursor, sums)
                sums = Sums()
                refused |= self._write_singly(cursor, (run.alone,))
        self._add(cursor, sums)
        return refused

    def _write_guarded(
        self, cursor: sqlite3.Cursor, units: list[Placed], sums: Sums
    ) -> dict[int, GatewayError]:
        """Write units whose guards are asked together; those whose guards refuse then, each by itself."""
        single: list[Placed] = []
        while len(units) > 1:
            own, claims = Sums(), Claims()
            cursor.execute("SAVEPOINT run")
            self._write_groups(cursor, levels(write for _, unit in units for write in unit), own, claims)
            failed = {key for key, values in claims if not self._ask(cursor, key[0], values)}
            if failed:
                cursor.execute("ROLLBACK TO run")
            cursor.execute("RELEASE run")
            if not failed:
                sums.merge(own)
                break
            vain, units = claims.split(units, failed)
            single += vain
        else:
            single += units
        return self._write_singly(cursor, single, Exhausted())

    def _write_groups(
        self,
        cursor: sqlite3.Cursor,
        writes: Iterable[Iterable[Write]],
        sums: Sums,
        claims: Claims | None = None,
    ) -> None:
        """Write the like rows of each level together; what is to be added goes to `sums`, what is to be asked to `claims`."""
        claims = claims or Claims()
        for level in writes:
            for statement, group in by_statement(level, sums, claims):
                applied = self._write_rows(cursor, statement, [write.values for write in group])
                if applied < len(group) and any(write.then for write in group):
                    raise _SomeDidNothing

    def _add(self, cursor: sqlite3.Cursor, sums: Sums) -> None:
        for statement, rows in sums:
            cursor.executemany(self._sql_of(statement), rows)

    def _write_rows(
        self, cursor: sqlite3.Cursor, statement: Insert | Transition | Delete, rows: Sequence[tuple[Any, ...]]
    ) -> int:
        """Write rows of one kind; return how many of them were made, moved or deleted."""
        if not isinstance(statement, Insert):
            cursor.executemany(self._sql_of(statement), rows)
            return cursor.rowcount
        applied = 0
        for chunk in _chunks(rows):
            cursor.execute(self._sql_of(statement, len(chunk)), tuple(chain.from_iterable(chunk)))
            applied += cursor.rowcount
        return applied

    def _write_singly(
        self, cursor: sqlite3.Cursor, units: Iterable[Placed], exhausted: Exhausted | None = None
    ) -> dict[int, GatewayError]:
        """Write units one by one, in their order; with `exhausted` none of them was written before."""
        refused: dict[int, GatewayError] = {}
        for place, unit in units:
            if exhausted is not None and (guard := exhausted.by(unit)):
                refused[place] = guard.refusal()
                continue
            sums = Sums()
            cursor.execute("SAVEPOINT unit")
            try:
                self._write_unit(cursor, unit, sums)
            except Refused as answer:
                cursor.execute("ROLLBACK TO unit")
                if exhausted is not None:
                    exhausted.note(unit, answer.guard, answer.values)
                refused[place] = answer.guard.refusal()
            else:
                self._add(cursor, sums)
            cursor.execute("RELEASE unit")
        return refused

    def _write_unit(self, cursor: sqlite3.Cursor, unit: Unit, sums: Sums) -> None:
        for write in unit:
            statement = write.statement
            if isinstance(statement, Add):
                sums.add(statement, write.values)
                continue
            if isinstance(statement, Guard):
                if not self._ask(cursor, statement, write.values):
                    raise Refused(statement, write.values)
            else:
                cursor.execute(self._sql_of(statement), write.values)
            if write.then and cursor.rowcount > 0:
                self._write_unit(cursor, write.then, sums)

    def _ask(self, cursor: sqlite3.Cursor, guard: Guard, values: tuple[Any, ...]) -> bool:
        """Whether a guard lets these values pass."""
        sql, arrange = self._guards.get(guard) or self._guard(guard)
        cursor.execute(sql, arrange(values))
        return cursor.rowcount > 0

    def _sql_of(self, statement: Insert | Transition | Delete | Add, rows: int = 1) -> str:
        sql = self._sql.get((statement, rows))
        if sql is None:
            sql = self._sql[statement, rows] = _sql(statement, rows)
        return sql

    def _guard(self, guard: Guard) -> CompiledGuard:
        compiled = self._guards[guard] = compile_guard(guard, sqlite.dialect())
        return compiled


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Part the rows of an insert by `_MOST_ROWS`."""
    for start in range(0, len(rows), _MOST_ROWS):
        yield rows[start : start + _MOST_ROWS]


def _sql(statement: Insert | Transition | Delete | Add, rows: int) -> str:
    """The statement for so many rows in SQLite's words; its parameters are the values of one write after the other.

    What fails is undone with its whole transaction, so an insert of several rows need not be able to undo itself: with
    OR FAIL, SQLite keeps no copies of the pages that it changes.
    """
    table = _quoted(statement.table.name)
    match statement:
        case Insert(columns=columns, table=Table(primary_key=key)):
            keys = _names(key.columns.keys())
            conflict = f" ON CONFLICT ({keys}) DO NOTHING" if statement.has_key else ""
            if isinstance(statement, Fresh):
                conflict += f" RETURNING {keys}"
            return f"INSERT OR FAIL INTO {table} ({_names(columns)}) {_values(columns, rows)}{conflict}"
        case Transition(columns=columns, key=key, leaves=state):
            changes = ", ".join(f"{_quoted(name)} = ?" for name in columns)
            return f"UPDATE {table} SET {changes} WHERE {_quoted(key)} = ? AND status = '{state}'"  # noqa: S608
        case Delete(key=key):
            return f"DELETE FROM {table} WHERE {_quoted(key)} = ?"  # noqa: S608
        case Add(keys=keys, amounts=amounts):
            columns = (*keys, *amounts)
            sums = ", ".join(
                f"{_quoted(name)} = {_quoted(name)} + excluded.{_quoted(name)}" for name in amounts
            )
            return (
                f"INSERT INTO {table} ({_names(columns)}) {_values(columns, rows)}"
                f" ON CONFLICT ({_names(keys)}) DO UPDATE SET {sums}"
            )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _names(columns: Iterable[str]) -> str:
    return ", ".join(_quoted(name) for name in columns)


def _values(columns: Sequence[str], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"VALUES {', '.join([row] * rows)}"
