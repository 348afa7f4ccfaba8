"""What is asked of callers in place of cost and the usual margin: for a tenant, for a plan, or for everybody.

A row never changes what it says: it is ended, and another one begins. So the row that a call names explains its charge for good.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import insert, select, update

from gateway.errors import InvalidRequest
from gateway.store.audit import Actor, record
from gateway.store.changes import bump
from gateway.store.random_ids import new_id
from gateway.store.structs import many, one
from gateway.store.tables import selling_prices

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

REVISION = "selling_prices"
_LONGEST_NOTE = 200


class SellingPrice(Struct, frozen=True, kw_only=True):
    """A row of `selling_prices`. Times are Unix seconds."""

    id: str
    tenant: str | None
    plan: str | None
    """Of `tenant` and `plan` one is set, or none: then it holds for everybody."""
    provider: str
    """A catalogue of the price book, or `*`."""
    model: str
    """As its provider calls it, or `*`."""
    margin_percent: str | None
    """Added to the cost, as a decimal number; None where rates are given."""
    rates: Mapping[str, Any] | None
    """As in a price file, with numbers as text, in credits."""
    valid_from: float
    valid_until: float | None
    note: str
    created_at: float
    revision: int


class NewSellingPrice(Struct, frozen=True, kw_only=True):
    """What a row says; see `SellingPrice`."""

    tenant: str | None = None
    plan: str | None = None
    provider: str = "*"
    model: str = "*"
    margin_percent: str | None = None
    rates: Mapping[str, Any] | None = None
    valid_from: float | None = None
    """Now when None."""
    valid_until: float | None = None
    note: str = ""


async def all_selling_prices(database: Database) -> list[SellingPrice]:
    """All rows, those that have ended as well; the newest first. For the operator."""
    async with database.connect() as connection:
        return await read_selling_prices(connection)


async def read_selling_prices(connection: AsyncConnection) -> list[SellingPrice]:
    """The same, within a transaction."""
    query = select(selling_prices).order_by(
        selling_prices.c.valid_from.desc(), selling_prices.c.revision.desc(), selling_prices.c.id
    )
    return await many(connection, query, SellingPrice)


async def get_selling_price(database: Database, id: str) -> SellingPrice | None:
    """The row of that id, or None. For the operator."""
    async with database.connect() as connection:
        return await one(connection, select(selling_prices).where(selling_prices.c.id == id), SellingPrice)


async def add_selling_price(database: Database, new: NewSellingPrice, *, actor: Actor) -> SellingPrice:
    """Add a row whose margin or rates were checked. Raises `InvalidRequest` for one that contradicts itself."""
    now = time.time()
    since = now if new.valid_from is None else new.valid_from
    _check(new, since)
    values: dict[str, Any] = {
        "tenant": new.tenant,
        "plan": new.plan,
        "provider": new.provider,
        "model": new.model,
        "margin_percent": new.margin_percent,
        "rates": None if new.rates is None else dict(new.rates),
        "valid_from": since,
        "valid_until": new.valid_until,
        "note": new.note,
    }
    row = new_id("sell_")
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        await connection.execute(
            insert(selling_prices).values(id=row, **values, created_at=now, revision=revision)
        )
        await record(connection, actor, "selling_price.create", row, tenant=new.tenant or "", after=values)
        return await _present(connection, row)


async def end_selling_price(
    database: Database, id: str, *, at: float | None = None, actor: Actor
) -> SellingPrice:
    """Let a row end at `at` (Unix seconds; now when None), which is not past. Raises `InvalidRequest` (404, 409)."""
    now = time.time()
    end = now if at is None else at
    async with database.begin() as connection:
        revision = await bump(connection, REVISION)
        before = await _present(connection, id)
        if end < now or (before.valid_until is not None and before.valid_until <= end):
            raise InvalidRequest(
                "A selling price ends now or later, and before the end that it has.",
                status=409,
                code="conflict",
                param="valid_until",
            )
        changed = {"valid_until": end, "revision": revision}
        await connection.execute(update(selling_prices).where(selling_prices.c.id == id).values(**changed))
        was, after = {"valid_until": before.valid_until}, {"valid_until": end}
        await record(
            connection, actor, "selling_price.end", id, tenant=before.tenant or "", before=was, after=after
        )
        return await _present(connection, id)


async def _present(connection: AsyncConnection, id: str) -> SellingPrice:
    found = await one(connection, select(selling_prices).where(selling_prices.c.id == id), SellingPrice)
    if found is None:
        raise InvalidRequest(f"There is no selling price {id!r}.", status=404, code="not_found")
    return found


def _check(new: NewSellingPrice, since: float) -> None:
    if new.tenant is not None and new.plan is not None:
        raise InvalidRequest("A selling price is for a tenant or for a plan, not for both.", param="plan")
    if (new.margin_percent is None) == (new.rates is None):
        raise InvalidRequest(
            "A selling price has either a margin or rates.",
            param="rates" if new.rates is not None else "margin_percent",
        )
    if new.valid_until is not None and new.valid_until <= since:
        raise InvalidRequest("A selling price ends after it has begun.", param="valid_until")
    for name, longest in (
        ("tenant", 64),
        ("plan", 64),
        ("provider", 100),
        ("model", 200),
        ("note", _LONGEST_NOTE),
    ):
        value: str | None = getattr(new, name)
        if value is not None and not (len(value) <= longest and value.isprintable()):
            raise InvalidRequest(f"'{name}' is at most {longest} printable characters.", param=name)
        if value == "" and name != "note":
            raise InvalidRequest(f"'{name}' is empty.", param=name)
