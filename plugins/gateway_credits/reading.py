"""What accounts have and what happened to them. Whose it is is part of every question."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, tuple_, union_all

from gateway.store.tables import usage_buckets
from gateway_credits.account import Account
from gateway_credits.grants import of
from gateway_credits.tables import balances, grants, journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from gateway.store import Database

_DAY: Final = 86_400
TREND_DAYS: Final = 7
"""Over how many days spending is averaged."""


async def list_balances(
    database: Database, tenant: str, *, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """The accounts of a tenant by their owners, beginning after one of them."""
    query = select(balances).where(balances.c.tenant == tenant)
    if after is not None:
        query = query.where(balances.c.owner > after)
    async with database.connect() as connection:
        return (await connection.execute(query.order_by(balances.c.owner).limit(limit))).all()


async def list_grants(
    database: Database, account: Account, *, after: str | None, limit: int, spent: bool
) -> Sequence[Row[Any]]:
    """The grants of an account, newest first; with `spent` also those with nothing left."""
    query = select(grants).where(*of(grants, account))
    if not spent:
        query = query.where(grants.c.remaining > 0)
    if after is not None:
        query = query.where(grants.c.id < after)
    async with database.connect() as connection:
        return (await connection.execute(query.order_by(grants.c.id.desc()).limit(limit))).all()


async def list_transactions(
    database: Database, account: Account, *, after: tuple[float, str] | None, limit: int
) -> Sequence[Any]:
    """What was booked on an account, newest first: `id`, `kind`, `at`, `amount`, `reference`, `note`."""
    one, newest = journal.c, (journal.c.at.desc(), journal.c.id.desc())
    told = (one.id, one.kind, one.at, one.reference, one.note)
    given = (one.other_tenant == account.tenant, one.other_owner == account.owner)
    own = select(*told, one.amount).where(*of(journal, account))
    from_others = select(*told, (-one.amount).label("amount")).where(*given)
    parts = [part.order_by(*newest).limit(limit) for part in (own, from_others)]
    if after is not None:
        parts = [part.where(tuple_(one.at, one.id) < tuple_(*after)) for part in parts]
    found = union_all(*(select(part.subquery()) for part in parts)).subquery()
    query = select(found).order_by(found.c.at.desc(), found.c.id.desc()).limit(limit)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def spent_a_day(database: Database, tenant: str) -> int:
    """What a tenant's calls were charged in the last days, on average a day, in 10⁻⁹ credit."""
    since = time.time() - TREND_DAYS * _DAY
    query = select(func.sum(usage_buckets.c.charge)).where(
        usage_buckets.c.tenant == tenant, usage_buckets.c.start >= int(since)
    )
    async with database.connect() as connection:
        return int(await connection.scalar(query) or 0) // TREND_DAYS
