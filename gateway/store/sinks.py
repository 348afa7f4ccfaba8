"""Sinks as the operator sees them: how far each has come, what it will not take, and sending events again."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import and_, delete, exists, func, insert, literal, select, tuple_

from gateway.store.audit import record
from gateway.store.money_tables import notices
from gateway.store.tables import dead_letters, model_calls, outbox, sink_states

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.audit import Actor
    from gateway.store.database import Database


class SinkState(Struct, frozen=True, kw_only=True):
    """How delivering to a sink goes. Times are Unix seconds."""

    sink: str
    waiting: int = 0
    """Calls and notices that it has not yet taken."""
    lag: float = 0.0
    """Seconds since the oldest of them happened."""
    dead: int = 0
    delivered: int = 0
    delivered_at: float | None = None
    failed_at: float | None = None
    error: str | None = None
    """The last one, which may be long over: compare the times."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A settled call, or a notice, that a sink will not take."""

    sink: str
    call: str
    attempts: int
    error: str
    died_at: float
    """Unix seconds."""


async def states(database: Database, sinks: Collection[str]) -> list[SinkState]:
    """The state of these sinks, and of others that something is known of, by name. Raises `Unavailable`."""
    async with database.connect() as connection:
        noted = {row.sink: row for row in await connection.execute(select(sink_states))}
        waiting = {row.sink: row for row in await connection.execute(_waiting())}
        letters = select(dead_letters.c.sink, func.count().label("dead")).group_by(dead_letters.c.sink)
        dead = {row.sink: row.dead for row in await connection.execute(letters)}
    return [
        SinkState(
            sink=name,
            waiting=waiting[name].waiting if name in waiting else 0,
            lag=_age(waiting[name].oldest) if name in waiting else 0.0,
            dead=dead.get(name, 0),
            **({} if name not in noted else _known(noted[name])),
        )
        for name in sorted({*sinks, *noted, *waiting, *dead})
    ]


async def letters(
    database: Database, *, sink: str | None, limit: int, after: tuple[float, str] | None = None
) -> list[DeadLetter]:
    """Dead letters of one sink or all, the newest first; `after` is time and id of one before them. Raises `Unavailable`."""
    place = dead_letters.c.died_at, dead_letters.c.call
    query = select(dead_letters).order_by(*(column.desc() for column in place)).limit(limit)
    if sink is not None:
        query = query.where(dead_letters.c.sink == sink)
    if after is not None:
        query = query.where(tuple_(*place) < after)
    async with database.connect() as connection:
        return [DeadLetter(**row) for row in (await connection.execute(query)).mappings()]


async def replay_dead(database: Database, sink: str, actor: Actor) -> int:
    """Let a sink have its dead letters again; return how many. Raises `Unavailable`."""
    dead = select(dead_letters.c.call).where(dead_letters.c.sink == sink)
    async with database.begin() as connection:
        count = await _send(connection, sink, model_calls.c.id.in_(dead), notices.c.id.in_(dead))
        await connection.execute(delete(dead_letters).where(dead_letters.c.sink == sink))
        await _audit(connection, actor, sink, {"dead": True, "calls": count})
    return count


async def replay_calls(database: Database, sink: str, ids: Sequence[str], actor: Actor) -> int:
    """Let a sink have these calls, as far as they are settled, and notices again; return how many. Raises `Unavailable`."""
    async with database.begin() as connection:
        count = await _send(connection, sink, model_calls.c.id.in_(ids), notices.c.id.in_(ids))
        forget = (dead_letters.c.sink == sink, dead_letters.c.call.in_(ids))
        await connection.execute(delete(dead_letters).where(*forget))
        await _audit(connection, actor, sink, {"calls": count, "ids": list(ids)})
    return count


async def replay_period(database: Database, sink: str, since: float, until: float, actor: Actor) -> int:
    """Let a sink have all calls that ended then, and notices, again, `until` not included; return how many.

    Raises `Unavailable`.
    """
    ended, at = model_calls.c.ended_at, notices.c.at
    async with database.begin() as connection:
        told = (at >= since) & (at < until)
        count = await _send(connection, sink, (ended >= since) & (ended < until), told)
        await _audit(connection, actor, sink, {"calls": count, "since": since, "until": until})
    return count


async def _send(
    connection: AsyncConnection, sink: str, calls: ColumnElement[bool], told: ColumnElement[bool]
) -> int:
    settled = model_calls.c.status != "processing"
    count = 0
    for column, which in (
        (model_calls.c.id, and_(calls, settled)),
        (notices.c.id, and_(told, notices.c.sent)),
    ):
        waits = exists().where(outbox.c.sink == sink, outbox.c.call == column)
        again = select(literal(sink), column).where(which, ~waits).order_by(column)
        count += (await connection.execute(insert(outbox).from_select(["sink", "call"], again))).rowcount
    return count


async def _audit(connection: AsyncConnection, actor: Actor, sink: str, after: dict[str, Any]) -> None:
    await record(connection, actor, "events.replay", sink, tenant="", after=after)


def _waiting() -> Any:
    oldest = func.min(func.coalesce(model_calls.c.ended_at, notices.c.at))
    return (
        select(outbox.c.sink, func.count().label("waiting"), oldest.label("oldest"))
        .join_from(outbox, model_calls, outbox.c.call == model_calls.c.id, isouter=True)
        .outerjoin(notices, outbox.c.call == notices.c.id)
        .group_by(outbox.c.sink)
    )


def _age(moment: float | None) -> float:
    return 0.0 if moment is None else max(0.0, time.time() - moment)


def _known(row: Any) -> dict[str, Any]:
    names = ("delivered", "delivered_at", "failed_at", "error")
    return {name: getattr(row, name) for name in names}
