"""What a tenant has used, added up from its buckets of a quarter of an hour; calls are never scanned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, case, cast, func, literal_column, select, tuple_

from gateway.store.tables import api_keys, usage_buckets

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Row

    from gateway.store.database import Database

BUCKET_SECONDS: Final = 900
MEASURES: Final = (
    "calls",
    "failed",
    "prompt_tokens",
    "completion_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "reasoning_tokens",
    "cost",
)
"""What is added up; the cost in 10⁻⁹ of the price book's currency."""

Only: TypeAlias = Literal["model", "provider", "key"]
GroupBy: TypeAlias = Literal["day", "hour", "model", "provider", "key"]

_DAY, _HOUR = literal_column("86400", BigInteger), literal_column("3600", BigInteger)

Offsets: TypeAlias = Sequence[tuple[int, int]]
"""From which moment on (Unix seconds) a time zone is how many seconds ahead of UTC; the first holds before it too."""


class UsageQuery(Struct, frozen=True, kw_only=True):
    """What is added up. Times are Unix seconds, at the border of two buckets."""

    since: int
    until: int
    """The first moment that does not count."""
    groups: tuple[GroupBy, ...] = ()
    only: Mapping[Only, str] = {}
    offsets: Offsets = ((0, 0),)
    """Of the time zone whose days and hours are meant."""


async def usage_of(
    database: Database,
    tenant: str,
    what: UsageQuery,
    *,
    limit: int | None = None,
    after: Sequence[str | int] | None = None,
) -> Sequence[Row[Any]]:
    """A row of sums for each group, in the order of the groups; `after` are the groups of the last row of a page.

    A row has the columns of MEASURES and those of the groups: `day` in days since 1970, `hour` as the Unix seconds of
    its beginning. Without groups there is one row, of nulls where nothing was used. Raises `Unavailable`.
    """
    columns = usage_buckets.c
    by = {group: _column(group, what.offsets) for group in what.groups}
    sums = [cast(func.sum(columns[name]), BigInteger).label(name) for name in MEASURES]
    query = select(*(column.label(group) for group, column in by.items()), *sums).where(
        columns.tenant == tenant, columns.start >= what.since, columns.start < what.until
    )
    for name, value in what.only.items():
        query = query.where(columns[name] == value)
    if by:
        query = query.group_by(*by.values()).order_by(*by.values())
        if after is not None:
            query = query.where(tuple_(*by.values()) > tuple(after))
    if limit is not None:
        query = query.limit(limit)
    async with database.connect() as connection:
        return (await connection.execute(query)).all()


async def key_names(database: Database, tenant: str, keys: Collection[str]) -> Mapping[str, str]:
    """The names of those of the tenant's keys. Raises `Unavailable`."""
    query = select(api_keys.c.id, api_keys.c.name).where(api_keys.c.tenant == tenant, api_keys.c.id.in_(keys))
    async with database.connect() as connection:
        return {row.id: row.name for row in await connection.execute(query)}


def _column(group: GroupBy, offsets: Offsets) -> ColumnElement[Any]:
    columns = usage_buckets.c
    if group not in {"day", "hour"}:
        return columns[group]
    ahead = _ahead(offsets)
    local = columns.start + ahead
    return local // _DAY if group == "day" else local - local % _HOUR - ahead


def _ahead(offsets: Offsets) -> ColumnElement[int]:
    """How far the zone is ahead at the beginning of a bucket."""
    (_, first), *later = offsets
    if not later:
        return _number(first)
    from_the_last = [
        (usage_buckets.c.start >= _number(moment), _number(ahead)) for moment, ahead in reversed(later)
    ]
    return case(*from_the_last, else_=_number(first))


def _number(value: int) -> ColumnElement[int]:
    """Written into the statement: PostgreSQL compares what it groups by with what it selects word by word."""
    return literal_column(str(int(value)), BigInteger)
