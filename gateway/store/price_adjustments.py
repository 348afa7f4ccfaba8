"""What a repricing adds to the cost and the charge of calls, whose own rows stay as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import func, insert, or_, select, tuple_

from gateway.store.audit import Actor, record
from gateway.store.calls import rfc3339
from gateway.store.changes import bump
from gateway.store.forgetting import call_id_at
from gateway.store.notices import Notice, notice, post
from gateway.store.structs import many
from gateway.store.tables import model_calls, price_adjustments
from gateway.store.turns import take_turn

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.billing import Adjusts
    from gateway.store.database import Database

REVISION = "price_adjustments"


class Adjustment(Struct, frozen=True, kw_only=True):
    """A row of `price_adjustments`. Times are Unix seconds, money as in the ledger."""

    call: str
    number: int
    """1 for the first of its call; together they are unique."""
    tenant: str
    key: str | None
    model: str
    received_at: float
    """When the call was received."""
    cost: int
    """To be added; may be negative."""
    charge: int
    """To be added; may be negative."""
    price_version: str | None
    selling: str | None
    reason: str
    created_at: float
    revision: int
    """Of the repricing: higher than that of all before it."""


class Correction(Struct, frozen=True, kw_only=True):
    """A call that costs something else now."""

    row: Any
    """Of `model_calls`."""
    cost: int
    """The whole difference to what its row says, adjustments made before among it."""
    charge: int
    """Likewise."""
    price_version: str | None
    selling: str | None


class Which(Struct, frozen=True, kw_only=True):
    """Calls of a period."""

    since: float
    """When they were received, in Unix seconds."""
    until: float
    """The first moment that does not count."""
    model: str | None = None
    """The name that the client wrote, or that of the provider."""
    tenant: str | None = None


async def adjustments_of(database: Database, call: str) -> list[Adjustment]:
    """The adjustments of a call, the first one first. For the operator."""
    query = select(price_adjustments).where(price_adjustments.c.call == call)
    async with database.connect() as connection:
        return await many(connection, query.order_by(price_adjustments.c.number), Adjustment)


async def list_adjustments(
    database: Database,
    tenant: str,
    *,
    since: float = 0.0,
    until: float = float("inf"),
    after: tuple[int, str, int] | None = None,
    limit: int = 1000,
) -> list[Adjustment]:
    """The tenant's adjustments made from `since` until before `until`, the oldest first.

    `after` is the revision, call and number of the last one of the page before.
    """
    columns = price_adjustments.c
    place = columns.revision, columns.call, columns.number
    query = (
        select(price_adjustments)
        .where(columns.tenant == tenant, columns.created_at >= since)
        .order_by(*place)
        .limit(limit)
    )
    if until != float("inf"):
        query = query.where(columns.created_at < until)
    if after is not None:
        query = query.where(tuple_(*place) > after)
    async with database.connect() as connection:
        return await many(connection, query, Adjustment)


async def adjustments_after(database: Database, revision: int) -> list[Adjustment]:
    """All that was adjusted since a revision, for who keeps accounts and watches `price_adjustments`. For the operator.

    A repricing writes at most some hundred rows of one revision, all in one transaction.
    """
    columns = price_adjustments.c
    query = (
        select(price_adjustments)
        .where(columns.revision > revision)
        .order_by(columns.revision, columns.call, columns.number)
    )
    async with database.connect() as connection:
        return await many(connection, query, Adjustment)


async def settled_calls(
    database: Database, which: Which, *, after: str = "", limit: int = 500
) -> Sequence[Row[Any]]:
    """Calls with usage, by id; `after` is the last one of the page before. For the operator."""
    columns = model_calls.c
    query = (
        select(model_calls)
        .where(
            columns.id > max(after, call_id_at(which.since)),
            columns.id < call_id_at(which.until),
            columns.status != "processing",
            columns.prompt_tokens.is_not(None),
            columns.upstream_model.is_not(None),
        )
        .order_by(columns.id)
        .limit(limit)
    )
    if which.model is not None:
        query = query.where(or_(columns.model == which.model, columns.upstream_model == which.model))
    if which.tenant is not None:
        query = query.where(columns.tenant == which.tenant)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def sums_of(connection: AsyncConnection, calls: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
    """Of each call that was adjusted: how often, and what was added to its cost and its charge."""
    columns = price_adjustments.c
    query = (
        select(columns.call, func.max(columns.number), func.sum(columns.cost), func.sum(columns.charge))
        .where(columns.call.in_(calls))
        .group_by(columns.call)
    )
    return {
        call: (int(n), int(cost), int(charge)) for call, n, cost, charge in await connection.execute(query)
    }


async def sums(database: Database, calls: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
    """See `sums_of`."""
    async with database.connect() as connection:
        return await sums_of(connection, calls)


async def adjust(
    database: Database,
    corrections: Sequence[Correction],
    *,
    reason: str,
    actor: Actor,
    books: Sequence[Adjusts] = (),
) -> list[Correction]:
    """Write what calls are to cost from now on; returns the rows that were needed.

    Each correction says what the *whole* difference to the call's row is to be; what earlier adjustments have added
    is taken off under a lock, so that two repricings at once add nothing twice. The `books` follow, and sinks are told,
    in the same transaction: whoever is killed meanwhile has done nothing, and may begin again.
    """
    now = time.time()
    async with database.begin() as connection:
        if books:
            await take_turn(connection)
        revision = await bump(connection, REVISION)
        before = await sums_of(connection, [one.row.id for one in corrections])
        made: list[Correction] = []
        rows: list[dict[str, Any]] = []
        for one in corrections:
            number, cost, charge = before.get(one.row.id, (0, 0, 0))
            if one.cost == cost and one.charge == charge:
                continue
            made.append(one)
            rows.append(
                {
                    "call": one.row.id,
                    "number": number + 1,
                    "tenant": one.row.tenant,
                    "key": one.row.key,
                    "model": one.row.model,
                    "received_at": one.row.received_at,
                    "cost": one.cost - cost,
                    "charge": one.charge - charge,
                    "price_version": one.price_version,
                    "selling": one.selling,
                    "reason": reason,
                    "created_at": now,
                    "revision": revision,
                }
            )
        if rows:
            await connection.execute(insert(price_adjustments), rows)
            adjustments = [Adjustment(**row) for row in rows]
            for book in books:
                await book.on_adjust(connection, adjustments)
            await post(connection, *map(_told, adjustments))
            for tenant in sorted({row["tenant"] for row in rows}):
                theirs = [row for row in rows if row["tenant"] == tenant]
                after = {
                    "calls": len(theirs),
                    "cost": sum(row["cost"] for row in theirs),
                    "charge": sum(row["charge"] for row in theirs),
                    "reason": reason,
                }
                await record(connection, actor, "calls.reprice", str(revision), tenant=tenant, after=after)
        return made


def _told(made: Adjustment) -> Notice:
    data = {
        "call": made.call,
        "number": made.number,
        "key": made.key,
        "model": made.model,
        "received_at": rfc3339(made.received_at),
        "cost_nano": made.cost,
        "charge_nano": made.charge,
        "price_version": made.price_version,
        "reason": made.reason,
    }
    of = (made.call, made.number)
    return notice("adjustment", *of, tenant=made.tenant, at=made.created_at, data=data)
