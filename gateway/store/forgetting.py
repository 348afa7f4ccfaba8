"""Takes what is personal out of calls and notices, and deletes what clients have stored: in small transactions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, or_, select, update

from gateway.store.identity_tables import kept_answers
from gateway.store.money_tables import answered_calls, notices
from gateway.store.stored_tables import (
    batch_lines,
    batches,
    file_chunks,
    files,
    jobs,
    response_events,
    responses,
)
from gateway.store.tables import dead_letters, model_calls, outbox

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

PERSONAL: Final = ("user", "key_name", "client_request_id", "error_message")
"""The columns of a call that may tell of a person; what it cost, and by which key, stays."""

ERASED: Final = "(erased)"
"""What stands in place of a name that is gone."""

_AT_ONCE = 500


def call_id_at(moment: float) -> str:
    """The lowest id that a call can have from that moment on, in Unix seconds."""
    return f"call_{max(0, int(moment * 1000)):012x}"


async def forget_in_calls(database: Database, which: ColumnElement[bool], *, since: str = "") -> int:
    """Take what is personal out of the calls with ids from `since` on; return how many had something.

    Walks along the ids, 500 calls a transaction, so that nobody waits for it.
    """
    left = or_(*(model_calls.c[name].is_not(None) for name in PERSONAL))
    query = select(model_calls.c.id).where(which, left).order_by(model_calls.c.id).limit(_AT_ONCE)
    count, last = 0, since
    while True:
        async with database.connect() as connection:
            ids = [*(await connection.execute(query.where(model_calls.c.id > last))).scalars()]
        if not ids:
            return count
        async with database.begin() as connection:
            nothing: dict[str, Any] = dict.fromkeys(PERSONAL)
            await connection.execute(update(model_calls).where(model_calls.c.id.in_(ids)).values(**nothing))
        count, last = count + len(ids), ids[-1]


async def forget_stored(
    database: Database,
    tenant: str,
    *,
    before: float | None = None,
    keys: Collection[str] | None = None,
    batches_of: Collection[str] | None = None,
) -> None:
    """Delete the tenant's responses, files, jobs, kept answers and ended batches.

    With `before` those that were created earlier, with `keys` those of these keys (batches do not tell theirs), with
    `batches_of` the batches of these ids and nothing else.
    """
    if batches_of is None:
        for table, parts, column in (
            (responses, response_events, "response"),
            (files, file_chunks, "file"),
            (jobs, None, ""),
            (kept_answers, answered_calls, "answer"),
        ):
            which = [table.c.tenant == tenant]
            if before is not None:
                which.append(table.c.created_at < before)
            if keys is not None:
                which.append(table.c.key.in_([*keys]))
            await _delete(database, tenant, table, parts, column, which)
    if keys is None:
        which = [batches.c.tenant == tenant, batches.c.ended_at.is_not(None)]
        if before is not None:
            which.append(batches.c.created_at < before)
        if batches_of is not None:
            which.append(batches.c.id.in_([*batches_of]))
        await _delete(database, tenant, batches, batch_lines, "batch", which)


async def forget_notices(database: Database, tenant: str, *, before: float = float("inf")) -> None:
    """Delete the tenant's notices of before a moment; those that sinks still wait for only lose whom they name."""
    which = [notices.c.tenant == tenant]
    if before != float("inf"):
        which.append(notices.c.at < before)
    async for page in _pages(database, which):
        ids = [row.id for row in page]
        async with database.begin() as connection:
            query = select(outbox.c.call).where(outbox.c.call.in_(ids))
            waiting = {*(await connection.execute(query)).scalars()}
            waiting |= {row.id for row in page if not row.sent}
            gone = [each for each in ids if each not in waiting]
            await connection.execute(delete(notices).where(notices.c.id.in_(gone)))
            await connection.execute(delete(dead_letters).where(dead_letters.c.call.in_(gone)))
            await _take_out(connection, [row for row in page if row.id in waiting])


async def forget_in_notices(database: Database, users: Collection[str]) -> None:
    """Take these users out of all notices, which stay."""
    async for page in _pages(database, [notices.c.user.in_(users)]):
        async with database.begin() as connection:
            await _take_out(connection, page)


async def _pages(database: Database, which: list[ColumnElement[bool]]) -> AsyncGenerator[Sequence[Row[Any]]]:
    query = select(notices).where(*which).order_by(notices.c.id).limit(_AT_ONCE)
    last = ""
    while True:
        async with database.connect() as connection:
            page = (await connection.execute(query.where(notices.c.id > last))).all()
        if not page:
            return
        yield page
        last = page[-1].id


async def _take_out(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        if row.user is not None:
            told = {name: _without(value, row.user) for name, value in row.data.items()}
            taken = update(notices).where(notices.c.id == row.id)
            await connection.execute(taken.values(user=None, data=told))


def _without(value: Any, user: str) -> Any:
    return value.replace(user, ERASED) if isinstance(value, str) else value


async def _delete(
    database: Database,
    tenant: str,
    table: Table,
    parts: Table | None,
    column: str,
    which: list[ColumnElement[bool]],
) -> None:
    """Delete rows, and before them the parts that name them in `column`."""
    async with database.begin() as connection:
        if parts is not None:
            owners = select(table.c.id).where(*which)
            of_tenant = parts.c.tenant == tenant
            await connection.execute(delete(parts).where(of_tenant, parts.c[column].in_(owners)))
        await connection.execute(delete(table).where(*which))
