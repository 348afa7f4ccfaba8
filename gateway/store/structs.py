"""Rows as structs: a struct names the columns that it wants as its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import select

from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database

T = TypeVar("T")


async def one(connection: AsyncConnection, query: Select[Any], type: type[T]) -> T | None:
    """The only row that a query finds; None when it finds none."""
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else struct_of(row, type)


async def of_tenant(
    connection: AsyncConnection, table: Table, tenant: str, id: str, type: type[T], what: str
) -> T:
    """The row of a tenant that has an id. Raises `InvalidRequest` (404): there is no `what` of that id."""
    found = await one(connection, select(table).where(table.c.tenant == tenant, table.c.id == id), type)
    if found is None:
        raise InvalidRequest(f"There is no {what} {id!r}.", status=404, code="not_found")
    return found


async def many(connection: AsyncConnection, query: Select[Any], type: type[T]) -> list[T]:
    """All rows that a query finds."""
    return [struct_of(row, type) for row in (await connection.execute(query)).mappings()]


async def page(
    database: Database,
    query: Select[Any],
    by: ColumnElement[Any],
    type: type[T],
    *,
    after: Any,
    limit: int | None,
) -> list[T]:
    """The rows that a query finds in the order of a column in which no two are equal: `limit` of them, or all.

    `after` is what the column holds in the last row of the page before, None for the first page.
    """
    if after is not None:
        query = query.where(by > after)
    async with database.connect() as connection:
        return await many(connection, query.order_by(by).limit(limit), type)


def struct_of(row: RowMapping, type: type[T]) -> T:
    """A row that has the columns which the struct wants, others besides."""
    plain = {str(name): value for name, value in row.items()}  # the names are of SQLAlchemy's own kind of str
    return msgspec.convert(plain, type)
