"""The journal's way into PostgreSQL: one connection, whole batches as arrays.

What must be fresh is inserted first. The rest of a batch becomes one `INSERT … SELECT unnest(…)` for each kind of row and
one `UPDATE … FROM unnest(…)` for each kind of transition; what hangs on them follows in a second round, then the guards.
When a guard refuses, the units that asked it are written one by one, each under a savepoint, as those whose guards cannot be
asked together are, in their place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy import JSON, BigInteger, Boolean, Float, Integer, LargeBinary, SmallInteger, Table
from sqlalchemy.dialects.postgresql import asyncpg as sqlalchemy_asyncpg

from gateway.errors import GatewayError
from gateway.store.backend import (
    Answer,
    Away,
    CompiledGuard,
    Refused,
    Unwritable,
    compile_guard,
)
from gateway.store.database import Database, connect_postgres
from gateway.store.grouping import Claims, Exhausted, Placed, Run, Sums, apart, by_statement, not_fresh, runs
from gateway.store.turns import LOCK_ROWS, SHARE_TURN, TAKE_TURN, row_locks
from gateway.store.writes import Add, Delete, Fresh, Guard, Insert, Transition, Unit, Write

_TIMEOUT = 10.0
_PASSING = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})
"""SQLSTATE classes of trouble that passes: connection, read-only standby, login, deadlock, resources, shutdown."""

# The first that fits; `unnest` wants the types of its arrays.
_ARRAYS = (
    (Boolean, "boolean[]"),
    (SmallInteger, "smallint[]"),
    (BigInteger, "bigint[]"),
    (Integer, "integer[]"),
    (Float, "double precision[]"),
    (LargeBinary, "bytea[]"),
    (JSON, "json[]"),
)


class PostgresBackend:
    """Writes batches over a connection of its own, which is opened anew whenever it broke."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None
        self._sql: dict[Insert | Transition | Delete | Add, str] = {}
        self._guards: dict[Guard, CompiledGuard] = {}
        self._takes_turns = False

    def write(self, units: Sequence[Unit], done: Callable[[Answer], None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(units, done), name="gateway journal")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._drop()

    async def _work(self, units: Sequence[Unit], done: Callable[[Answer], None]) -> None:
        answer: Answer
        try:
            async with asyncio.timeout(_TIMEOUT):
                if self._connection is None:
                    self._connection = await connect_postgres(self._database.dsn)
                answer = await self._write(units)
        except Exception as error:  # noqa: BLE001 - told as one of the two kinds that there are
            what = f"{type(error).__name__}: {error}"
            if _passes(error):
                self._drop()
                answer = Away(f"{self._database.shown}: {what}")
            else:
                answer = Unwritable(what)
        done(answer)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _write(self, units: Sequence[Unit]) -> dict[int, GatewayError]:
        if _is_plain_insert(units):  # a transaction by itself
            await self._insert(units[0][0].statement, [write for unit in units for write in unit])
            return {}
        fresh, others = apart(units)
        if len(fresh) == 1 and not others:  # a transaction by itself, too
            return await self._write_fresh(fresh)
        sums = Sums()
        grouped = list(runs(others))
        self._takes_turns = self._takes_turns or any(run.guarded or run.alone for run in grouped)
        async with self._connection.transaction():
            locks = await self._take_turn(grouped, others)
            refused = await self._write_fresh(fresh)
            for run in grouped:
                await self._write_together(run.first, sums)
                if locks:  # as late as possible: others wait for them
                    await self._connection.execute(LOCK_ROWS, locks)
                if run.guarded:
                    await self._add(sums)  # what the ends of calls give back is there for those that begin
                    sums = Sums()
                    refused |= await self._write_guarded(run.guarded, sums)
                    await self._write_together(run.last, sums)
                if run.alone is not None:
                    await self._add(sums)
                    sums = Sums()
                    refused |= await self._write_singly((run.alone,))
            await self._add(sums)
        return refused

    async def _take_turn(self, grouped: Iterable[Run], units: Iterable[Placed]) -> Sequence[int]:
        """Return the locks to be taken before a row is touched that others change, too.

        Else two workers would lock each other out, by guards and by sums of the same rows. Who asks such rows one by one has
        the turn alone, and needs no locks.
        """
        if not self._takes_turns:
            return ()
        locks = None if any(run.alone for run in grouped) else row_locks(units)
        await self._connection.execute(TAKE_TURN if locks is None else SHARE_TURN)
        return locks or ()

    async def _write_fresh(self, fresh: Mapping[Fresh, list[Placed]]) -> dict[int, GatewayError]:
        """Write rows that must not be there yet; refuse those that are."""
        refused: dict[int, GatewayError] = {}
        for statement, units in fresh.items():
            first = _first_by(statement.key_places, [unit[0] for _, unit in units])
            # In one order everywhere, for whoever makes a row that another is making waits for the other.
            made = await self._fetch(statement, [first[key].values for key in sorted(first)])
            if len(made) < len(units):
                refused |= not_fresh(statement, units, made)
        return refused

    async def _write_guarded(self, units: list[Placed], sums: Sums) -> dict[int, GatewayError]:
        """Write units whose guards are asked together; those whose guards refuse then, each by itself."""
        single: list[Placed] = []
        while len(units) > 1:
            own, claims = Sums(), Claims()
            turn = self._connection.transaction()
            await turn.start()
            await self._write_together([write for _, unit in units for write in unit], own, claims)
            failed = {key for key, values in claims if not await self._ask(key[0], values)}
            if not failed:
                await turn.commit()
                sums.merge(own)
                break
            await turn.rollback()
            vain, units = claims.split(units, failed)
            single += vain
        else:
            single += units
        return await self._write_singly(single, Exhausted())

    async def _write_together(self, writes: list[Write], sums: Sums, claims: Claims | None = None) -> None:
        """Write like rows at once; what is to be added goes to `sums`, what is to be asked to `claims`."""
        claims = claims or Claims()
        while writes:
            applied: list[Write] = []
            for statement, group in by_statement(writes, sums, claims):
                if isinstance(statement, Insert):
                    applied += await self._insert(statement, group)
                else:
                    applied += await self._change(statement, group)
            writes = [follower for write in applied for follower in write.then]

    async def _add(self, sums: Sums) -> None:
        for statement, rows in sums:
            await self._fetch(statement, rows)

    async def _write_singly(
        self, units: Iterable[Placed], exhausted: Exhausted | None = None
    ) -> dict[int, GatewayError]:
        """Write units one by one, in their order; with `exhausted` none of them was written before."""
        refused: dict[int, GatewayError] = {}
        for place, unit in units:
            if exhausted is not None and (guard := exhausted.by(unit)):
                refused[place] = guard.refusal()
                continue
            try:
                async with self._connection.transaction():
                    sums = Sums()
                    await self._write_in_order(unit, sums)
                    await self._add(sums)
            except Refused as answer:
                if exhausted is not None:
                    exhausted.note(unit, answer.guard, answer.values)
                refused[place] = answer.guard.refusal()
        return refused

    async def _write_in_order(self, unit: Unit, sums: Sums) -> None:
        for write in unit:
            match write.statement:
                case Insert() as statement:
                    applied = bool(await self._insert(statement, [write]))
                case Transition() | Delete() as statement:
                    applied = bool(await self._change(statement, [write]))
                case Guard() as guard:
                    if not await self._ask(guard, write.values):
                        raise Refused(guard, write.values)
                    applied = True
                case Add() as statement:
                    sums.add(statement, write.values)
                    continue
            if applied and write.then:
                await self._write_in_order(write.then, sums)

    async def _ask(self, guard: Guard, values: tuple[Any, ...]) -> bool:
        """Whether a guard lets these values pass."""
        sql, arrange = self._guards.get(guard) or self._compile(guard)
        status: str = await self._connection.execute(sql, *arrange(values))
        return not status.endswith(" 0")

    async def _insert(self, statement: Any, writes: list[Write]) -> Iterable[Write]:
        """Insert the rows; return the writes that made one."""
        if not statement.has_key:
            await self._fetch(statement, [write.values for write in writes])
            return writes
        first = _first_by(statement.key_places, writes)
        made = await self._fetch(statement, [write.values for write in first.values()])
        return [first[tuple(key)] for key in made]

    async def _change(self, statement: Transition | Delete, writes: list[Write]) -> Iterable[Write]:
        """Move or delete the rows; return the writes that did so to one."""
        first = _first_by((-1,), writes)
        moved = await self._fetch(statement, [write.values for write in first.values()])
        return [first[tuple(key)] for key in moved]

    async def _fetch(
        self, statement: Insert | Transition | Delete | Add, rows: Sequence[tuple[Any, ...]]
    ) -> Any:
        sql = self._sql.get(statement)
        if sql is None:
            sql = self._sql[statement] = _sql(statement)
        return await self._connection.fetch(sql, *zip(*rows, strict=True))

    def _compile(self, guard: Guard) -> CompiledGuard:
        compiled = self._guards[guard] = compile_guard(guard, sqlalchemy_asyncpg.dialect())
        return compiled


def _is_plain_insert(units: Sequence[Unit]) -> bool:
    """Whether the batch is nothing but rows for one table."""
    statement = units[0][0].statement if units else None
    return statement.__class__ is Insert and all(
        write.statement is statement and not write.then for unit in units for write in unit
    )


def _first_by(key: Sequence[int], writes: list[Write]) -> dict[tuple[Any, ...], Write]:
    """The first write for each key, by the places of its values: a later one in the same batch comes too late."""
    first: dict[tuple[Any, ...], Write] = {}
    for write in writes:
        values = write.values
        first.setdefault(tuple([values[place] for place in key]), write)
    return first


def _passes(error: Exception) -> bool:
    """Whether the same batch may succeed later."""
    if isinstance(error, asyncpg.PostgresError):
        state: Any = getattr(error, "sqlstate", None)
        return str(state)[:2] in _PASSING
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # its DataError: a value that fits no parameter
    return isinstance(error, OSError | TimeoutError)


def _sql(statement: Insert | Transition | Delete | Add) -> str:
    """The statement in PostgreSQL's words; each parameter is an array: a column of the writes' values."""
    table = f'"{statement.table.name}"'
    match statement:
        case Insert(columns=columns, table=Table(primary_key=primary_key)):
            sql = f"INSERT INTO {table} ({_names(columns)}) SELECT * FROM {_unnest(statement.table, columns)}"  # noqa: S608 - names of our own tables
            if statement.has_key:
                keys = primary_key.columns.keys()
                sql += f" ON CONFLICT ({_names(keys)}) DO NOTHING RETURNING {_names(keys)}"
            return sql
        case Transition(columns=columns, key=key, leaves=state):
            changes = ", ".join(f'"{name}" = new."{name}"' for name in columns)
            every = (*columns, key)
            return (
                f"UPDATE {table} AS old SET {changes} FROM {_unnest(statement.table, every)} AS new ({_names(every)})"  # noqa: S608
                f' WHERE old."{key}" = new."{key}" AND old.status = \'{state}\' RETURNING old."{key}"'
            )
        case Delete(key=key):
            array = _array(statement.table, key)
            return f'DELETE FROM {table} WHERE "{key}" = ANY($1::{array}) RETURNING "{key}"'  # noqa: S608
        case Add(keys=keys, amounts=amounts):
            every = (*keys, *amounts)
            sums = ", ".join(f'"{name}" = {table}."{name}" + excluded."{name}"' for name in amounts)
            return (
                f"INSERT INTO {table} ({_names(every)}) SELECT * FROM {_unnest(statement.table, every)}"  # noqa: S608
                f" ON CONFLICT ({_names(keys)}) DO UPDATE SET {sums}"
            )


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _unnest(table: Table, columns: Sequence[str]) -> str:
    arrays = (_array(table, name) for name in columns)
    return f"unnest({', '.join(f'${place}::{array}' for place, array in enumerate(arrays, 1))})"


def _array(table: Table, column: str) -> str:
    kind = table.columns[column].type
    return next((array for base, array in _ARRAYS if isinstance(kind, base)), "text[]")
