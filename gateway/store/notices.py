"""Notices: what happens to money beside calls, for sinks to tell the outside of.

A notice is written in the transaction of what it tells of, by whoever that is, a command among them; who hears of it is
found out later, by a running gateway. Its id says what it tells of, so that telling twice makes no second one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import and_, insert, select, text, update

from gateway.store.calls import rfc3339
from gateway.store.money_tables import notices
from gateway.store.structs import many
from gateway.store.tables import outbox
from gateway.store.upsert import insert_into

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

Kind: TypeAlias = Literal["adjustment", "refund", "credit_note", "invoice_run", "balance", "budget"]

_AT_ONCE = 500


class Notice(Struct, frozen=True, kw_only=True):
    """A row of `notices`."""

    id: str
    kind: str
    tenant: str
    user: str | None
    at: float
    """When it happened, in Unix seconds."""
    data: Mapping[str, Any]
    """Plain JSON: what there is to tell, by the kind."""


def notice(
    kind: Kind, *of: object, tenant: str, at: float, data: Mapping[str, Any], user: str | None = None
) -> Notice:
    """Make a notice; `of` tells it from all others of its kind."""
    return Notice(id=f"evt_{digest(kind, *of)}", kind=kind, tenant=tenant, user=user, at=at, data=data)


def digest(*of: object) -> str:
    """Make 32 hex digits of what something is about: the same of the same, and of nothing else."""
    named = "\n".join(map(str, of))
    return hashlib.sha256(named.encode()).hexdigest()[:32]


async def post(connection: AsyncConnection, *new: Notice) -> None:
    """Write notices within the transaction that makes what they tell of; those that are there stay as they are."""
    for start in range(0, len(new), _AT_ONCE):
        rows = [asdict(each) | {"sent": False} for each in new[start : start + _AT_ONCE]]
        await connection.execute(insert_into(connection, notices).on_conflict_do_nothing(), rows)


async def hand_out(database: Database, sinks: Collection[str]) -> int:
    """Put new notices into the outbox of each of these sinks, once, whoever else does so; return how many there were.

    Raises `Unavailable`.
    """
    new = text("NOT notices.sent")  # as in the index, word for word: else it is not used
    waiting = select(notices.c.id).where(new).order_by(notices.c.at, notices.c.id).limit(_AT_ONCE)
    async with database.connect() as connection:
        if (await connection.execute(waiting.limit(1))).one_or_none() is None:
            return 0
    async with database.begin() as connection:
        mine = notices.c.id.in_(waiting.with_for_update(skip_locked=True))
        taken = update(notices).where(new, mine).values(sent=True).returning(notices.c.id, notices.c.at)
        found = sorted((row.at, row.id) for row in await connection.execute(taken))
        rows = [{"sink": sink, "call": each} for _, each in found for sink in sorted(sinks)]
        if rows:
            await connection.execute(insert(outbox), rows)
    return len(found)


async def notices_of(database: Database, ids: Collection[str]) -> dict[str, Notice]:
    """The notices among these ids. Raises `Unavailable`."""
    if not ids:
        return {}
    async with database.connect() as connection:
        found = await many(connection, select(notices).where(notices.c.id.in_(ids)), Notice)
    return {each.id: each for each in found}


async def list_notices(
    database: Database, tenant: str, *, after: tuple[float, str] | None, limit: int
) -> Sequence[Notice]:
    """The tenant's notices, newest first; `after` is time and id of the last one of the page before."""
    columns = notices.c
    query = select(notices).where(columns.tenant == tenant)
    if after is not None:
        at, last = after
        query = query.where((columns.at < at) | and_(columns.at == at, columns.id < last))
    async with database.connect() as connection:
        return await many(
            connection, query.order_by(columns.at.desc(), columns.id.desc()).limit(limit), Notice
        )


def as_record(each: Notice) -> dict[str, Any]:
    """A notice as sinks are given it; `time` is RFC 3339 in UTC."""
    return {
        "id": each.id,
        "kind": each.kind,
        "tenant": each.tenant,
        "user": each.user,
        "time": rfc3339(each.at),
        "data": dict(each.data),
    }
