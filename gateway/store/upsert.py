"""Inserts that may meet a row that is there already: the same words for both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.ext.asyncio import AsyncConnection


def insert_into(connection: AsyncConnection, table: Table) -> Insert:
    """Begin an insert that has `on_conflict_do_nothing` and `on_conflict_do_update`, whose words are the same."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415 - only the one in use: PostgreSQL's is large
    else:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    return insert(table)  # pyright: ignore[reportReturnType] - SQLite's takes the same arguments
