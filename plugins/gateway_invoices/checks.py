"""What is refused: text that does not fit its column (SQLite would take any length), and what cannot be as things stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import String, Table

from gateway.errors import InvalidRequest


def check_lengths(table: Table, values: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` for a text that is longer than its column, or has a character that cannot be kept."""
    for name, value in values.items():
        kind = table.c[name].type
        if not isinstance(value, str) or not isinstance(kind, String):
            continue
        if kind.length is not None and len(value) > kind.length:
            raise InvalidRequest(f"{name} is longer than {kind.length} characters.", param=name)
        if not value.isprintable():
            raise InvalidRequest(f"{name} must be one line of printable text.", param=name)


def conflict(message: str) -> InvalidRequest:
    """The error (409) for what cannot be done as things stand."""
    return InvalidRequest(message, status=409, code="conflict")
