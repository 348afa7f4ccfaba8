"""Batches, as those who run them see them: taken on, begun, carried out line by line, ended.

Every write holds only as long as the batch is its writer's own: one that was taken for dead changes nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from gateway.errors import GatewayError
from gateway.store.batches import StoredBatch, batch_of
from gateway.store.stored_tables import batch_lines, batches
from gateway.store.tables import model_calls, workers
from gateway.store.writes import Guard, Unit, Write

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from gateway.store.database import Database

_AT_ONCE: Final = 500
_lines = batch_lines.c


class Line(Struct, frozen=True):
    """One request of a batch that is still to be made."""

    number: int
    """Of the line in the file, from 1."""
    custom_id: str
    request: bytes
    """JSON: the body."""
    tries: int = 0
    """How often its process died while it ran."""


class Left(Struct, frozen=True):
    """A line that was running when its process died."""

    line: Line
    call_status: str | None
    """What the ledger says of its call; None when the ledger never heard of it."""


class Tally(Struct, frozen=True):
    """What the calls of a batch used together, in tokens."""

    prompt: int
    completion: int
    cached_read: int
    reasoning: int


class NotOurs(GatewayError):
    """The batch, or the line, is not this process's to change: cancelled, ended, or taken on by another."""


def _refusal() -> GatewayError:
    return NotOurs("The batch does not run here any more.")


_own = (
    batches.c.tenant == bindparam("of_tenant"),
    batches.c.id == bindparam("of_batch"),
    batches.c.worker == bindparam("of_worker"),
)
_OWN = ("of_tenant", "of_batch", "of_worker")
_line = (
    _lines.tenant == bindparam("of_tenant"),
    _lines.batch == bindparam("of_batch"),
    _lines.number == bindparam("of_number"),
)
_open = or_(_lines.state == "waiting", _lines.state == "running")
_LINE = ("of_tenant", "of_batch", "of_number")

_STILL_RUNS = Guard(
    update(batches).where(*_own, batches.c.status == "in_progress").values(worker=batches.c.worker),
    *_OWN,
    refusal=_refusal,
)
_BEGIN_LINE = Guard(
    update(batch_lines).where(*_line, _open).values(state="running", call=bindparam("new_call")),
    "new_call",
    *_LINE,
    refusal=_refusal,
)
_END_LINE = Guard(
    update(batch_lines)
    .where(*_line, _open)
    .values(state=bindparam("new_state"), result=bindparam("new_result")),
    "new_state",
    "new_result",
    *_LINE,
    refusal=_refusal,
)
_COUNT: Final[Mapping[str, Guard]] = {
    name: Guard(
        update(batches).where(*_own).values({name: batches.c[name] + 1}),
        *_OWN,
        refusal=_refusal,
    )
    for name in ("completed", "failed")
}


def line_begun(batch: StoredBatch, line: Line, call: str) -> Unit:
    """The writes that say that a line runs now, as that call. Refused with `NotOurs`."""
    own = (batch.tenant, batch.id, batch.worker)
    return (
        Write(_STILL_RUNS, own),
        Write(_BEGIN_LINE, (call, batch.tenant, batch.id, line.number)),
    )


def line_ended(batch: StoredBatch, line: Line, state: str, result: bytes) -> Unit:
    """The writes that end a line as `completed` or `failed`. Refused with `NotOurs`."""
    return (
        Write(_END_LINE, (state, result, batch.tenant, batch.id, line.number)),
        Write(_COUNT[state], (batch.tenant, batch.id, batch.worker)),
    )


async def change_batch(database: Database, batch: StoredBatch, *states: str, **values: Any) -> bool:
    """Change columns of a batch that is this worker's and in one of these states; whether it was. Raises `Unavailable`."""
    change = update(batches).where(*_of(batch), batches.c.status.in_(states)).values(**values)
    async with database.begin() as connection:
        return (await connection.execute(change)).rowcount > 0


async def end_batch(database: Database, batch: StoredBatch, **values: Any) -> bool:
    """End a batch, and let go of what only its lines needed; whether it was this worker's. Raises `Unavailable`."""
    change = update(batches).where(*_of(batch)).values(worker=None, ended_at=time.time(), **values)
    async with database.begin() as connection:
        if (await connection.execute(change)).rowcount == 0:
            return False
        emptied = update(batch_lines).where(_lines.tenant == batch.tenant, _lines.batch == batch.id)
        await connection.execute(emptied.values(request=None, result=None))
    return True


async def take_orphans(database: Database, worker: str) -> list[StoredBatch]:
    """Take on batches that nobody runs, their worker being no more. Raises `Unavailable`."""
    lost = batches.c.worker.not_in(select(workers.c.id))
    query = select(batches).where(batches.c.ended_at.is_(None), lost).limit(_AT_ONCE)
    async with database.connect() as connection:
        found = [batch_of(row) for row in await connection.execute(query)]
    taken: list[StoredBatch] = []
    for batch in found:
        async with database.begin() as connection:
            change = update(batches).where(*_of(batch), batches.c.ended_at.is_(None)).values(worker=worker)
            if (await connection.execute(change)).rowcount:
                taken.append(replace(batch, worker=worker))
    return taken


async def running_batches(database: Database, worker: str) -> dict[tuple[str, str], str]:
    """The status of each batch that a worker has to run, by tenant and id. Raises `Unavailable`."""
    query = select(batches.c.tenant, batches.c.id, batches.c.status).where(
        batches.c.ended_at.is_(None), batches.c.worker == worker
    )
    async with database.connect() as connection:
        return {(row.tenant, row.id): row.status for row in await connection.execute(query)}


async def put_lines(database: Database, batch: StoredBatch, lines: Sequence[Line]) -> None:
    """Store lines that are to be carried out. Raises `Unavailable`."""
    rows = [
        {
            "tenant": batch.tenant,
            "batch": batch.id,
            "number": line.number,
            "custom_id": line.custom_id,
            "state": "waiting",
            "tries": 0,
            "request": line.request,
        }
        for line in lines
    ]
    async with database.begin() as connection:
        await connection.execute(insert(batch_lines), rows)


async def drop_lines(database: Database, batch: StoredBatch) -> None:
    """Delete the lines of a batch, to begin anew. Raises `Unavailable`."""
    async with database.begin() as connection:
        await connection.execute(
            delete(batch_lines).where(_lines.tenant == batch.tenant, _lines.batch == batch.id)
        )


async def waiting_lines(database: Database, batch: StoredBatch, *, after: int, limit: int) -> list[Line]:
    """The next lines that wait, in the order of the file. Raises `Unavailable`."""
    query = (
        select(_lines.number, _lines.custom_id, _lines.request, _lines.tries)
        .where(*_in(batch), _lines.state == "waiting", _lines.number > after)
        .order_by(_lines.number)
        .limit(limit)
    )
    async with database.connect() as connection:
        return [
            Line(row.number, row.custom_id, bytes(row.request), row.tries)
            for row in await connection.execute(query)
        ]


async def left_lines(database: Database, batch: StoredBatch) -> list[Left]:
    """The lines that a dead process has left running, with what became of their calls. Raises `Unavailable`."""
    query = (
        select(_lines.number, _lines.custom_id, _lines.request, _lines.tries, model_calls.c.status)
        .join_from(batch_lines, model_calls, _lines.call == model_calls.c.id, isouter=True)
        .where(*_in(batch), _lines.state == "running")
        .order_by(_lines.number)
    )
    async with database.connect() as connection:
        return [
            Left(Line(row.number, row.custom_id, bytes(row.request), row.tries), row.status)
            for row in await connection.execute(query)
        ]


async def put_back(database: Database, batch: StoredBatch, line: Line, *, tries: int) -> None:
    """Let a line that was left running wait again. Raises `Unavailable`."""
    change = update(batch_lines).where(*_in(batch), _lines.number == line.number, _lines.state == "running")
    async with database.begin() as connection:
        await connection.execute(change.values(state="waiting", tries=tries))


async def results(
    database: Database, batch: StoredBatch, *states: str, after: int, limit: int
) -> list[tuple[int, str, bytes | None]]:
    """Number, custom id and result of lines in these states, in the order of the file. Raises `Unavailable`."""
    query = (
        select(_lines.number, _lines.custom_id, _lines.result)
        .where(*_in(batch), _lines.state.in_(states), _lines.number > after)
        .order_by(_lines.number)
        .limit(limit)
    )
    async with database.connect() as connection:
        return [
            (row.number, row.custom_id, None if row.result is None else bytes(row.result))
            for row in await connection.execute(query)
        ]


async def tally(database: Database, batch: StoredBatch) -> Tally:
    """Sum up what the calls of a batch have used, as the ledger knows it. Raises `Unavailable`."""
    calls = model_calls.c
    sums = (calls.prompt_tokens, calls.completion_tokens, calls.cached_read_tokens, calls.reasoning_tokens)
    query = (
        select(*(func.coalesce(func.sum(column), 0) for column in sums))
        .join_from(batch_lines, model_calls, _lines.call == calls.id)
        .where(*_in(batch))
    )
    async with database.connect() as connection:
        row = (await connection.execute(query)).one()
    return Tally(*(int(value) for value in row))


def _of(batch: StoredBatch) -> tuple[ColumnElement[bool], ...]:
    return batches.c.tenant == batch.tenant, batches.c.id == batch.id, batches.c.worker == batch.worker


def _in(batch: StoredBatch) -> tuple[ColumnElement[bool], ...]:
    return _lines.tenant == batch.tenant, _lines.batch == batch.id
