"""Takes what is personal out of calls, and deletes what clients have stored: in small transactions."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, or_, select, update

from gateway.store.identity_tables import kept_answers
from gateway.store.money_tables import answered_calls
from gateway.store.tables import (
    batch_lines,
    batches,
    file_chunks,
    files,
    jobs,
    model_calls,
    response_events,
    responses,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

    from gateway.store.database import Database

PERSONAL: Final = ("user", "key_name", "client_request_id", "error_message")
"""The columns of a call that may tell of a person; what it cost, and by which key, stays."""

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
