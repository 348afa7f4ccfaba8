"""Searching for a text in several columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement


def contains(text: str, *columns: Column[Any]) -> ColumnElement[bool]:
    """Whether a text is in one of the columns at least, in whatever case; nothing in it stands for anything else."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))
