"""The rows behind deliveries: what waits for a sink, what it has taken, what it will not take."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import delete, select, update

from gateway.store.tables import dead_letters, model_calls, outbox, sink_states
from gateway.store.upsert import insert_into

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

_LONGEST_ERROR = 500


class Retry(Struct, frozen=True, kw_only=True):
    """A call that a sink did not take, and is to be tried again."""

    position: int
    attempts: int
    due_at: float
    """Unix seconds."""


class Dead(Struct, frozen=True, kw_only=True):
    """A call that a sink will not take."""

    call: str
    attempts: int
    error: str


async def due(database: Database, sink: str, limit: int) -> Sequence[Row[Any]]:
    """What waits for a sink and may be tried now, oldest first.

    Each row is a call as in `model_calls`, all null for a notice and where it was deleted, with its `position` in the
    outbox, the id of the call or notice as `waiting`, and how often it was tried before as `tries`. Raises `Unavailable`.
    """
    query = (
        select(
            outbox.c.position, outbox.c.attempts.label("tries"), outbox.c.call.label("waiting"), model_calls
        )
        .join_from(outbox, model_calls, outbox.c.call == model_calls.c.id, isouter=True)
        .where(outbox.c.sink == sink, outbox.c.due_at <= time.time())
        .order_by(outbox.c.position)
        .limit(limit)
    )
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def note_delivery(
    database: Database,
    sink: str,
    *,
    gone: Collection[int],
    taken: int,
    retries: Sequence[Retry] = (),
    dead: Sequence[Dead] = (),
) -> None:
    """Write down how a batch fared: `gone` are the positions that leave the outbox. Raises `Unavailable`."""
    now = time.time()
    async with database.begin() as connection:
        await connection.execute(delete(outbox).where(outbox.c.position.in_(gone)))
        for retry in retries:
            again = update(outbox).where(outbox.c.position == retry.position)
            await connection.execute(again.values(attempts=retry.attempts, due_at=retry.due_at))
        for each in dead:
            values = {"attempts": each.attempts, "error": cut(each.error), "died_at": now}
            letter = insert_into(connection, dead_letters).values(sink=sink, call=each.call, **values)
            await connection.execute(
                letter.on_conflict_do_update(index_elements=["sink", "call"], set_=values)
            )
        if taken:
            await _note(
                connection,
                sink,
                {"delivered": taken, "delivered_at": now},
                {"delivered": sink_states.c.delivered + taken, "delivered_at": now},
            )


async def note_failure(database: Database, sink: str, error: str) -> None:
    """Write down what is wrong with a sink. Raises `Unavailable`."""
    failure = {"failed_at": time.time(), "error": cut(error)}
    async with database.begin() as connection:
        await _note(connection, sink, {"delivered": 0, **failure}, failure)


async def _note(
    connection: AsyncConnection, sink: str, first: Mapping[str, Any], then: Mapping[str, Any]
) -> None:
    state = insert_into(connection, sink_states).values(sink=sink, **first)
    await connection.execute(state.on_conflict_do_update(index_elements=["sink"], set_=dict(then)))


def cut(error: str) -> str:
    """An error as the tables hold it: on one line, printable, not too long."""
    text = " ".join(error[: _LONGEST_ERROR * 2].split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)[:_LONGEST_ERROR]
