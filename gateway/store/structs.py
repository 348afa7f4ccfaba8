"""Rows as structs: a struct names the columns that it wants as its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def one(connection: AsyncConnection, query: Select[Any], type: type[T]) -> T | None:
    """The only row that a query finds; None when it finds none."""
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else struct_of(row, type)


async def many(connection: AsyncConnection, query: Select[Any], type: type[T]) -> list[T]:
    """All rows that a query finds."""
    return [struct_of(row, type) for row in (await connection.execute(query)).mappings()]


def struct_of(row: RowMapping, type: type[T]) -> T:
    """A row that has the columns which the struct wants, others besides."""
    plain = {str(name): value for name, value in row.items()}  # the names are of SQLAlchemy's own kind of str
    return msgspec.convert(plain, type)
