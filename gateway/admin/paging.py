"""Keyset pagination: a cursor holds the sort key of the last row of a page, so that no row is skipped or shown twice."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec

from gateway.errors import InvalidRequest

Key: TypeAlias = tuple[str | int | float, ...]
Row = TypeVar("Row")
KeyT = TypeVar("KeyT", bound=tuple[Any, ...])


def after(cursor: str | None, kind: type[KeyT]) -> KeyT | None:
    """The sort key in a cursor, as `after(query.cursor, tuple[float, str])`; None without one.

    Raises `InvalidRequest` for what is no cursor of this list.
    """
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        key = msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise unknown_cursor() from None
    if any(_unstorable(part) for part in key):
        raise unknown_cursor()
    return key


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> tuple[Sequence[Row], str | None]:
    """Cut off what was read beyond a page: read `limit + 1` rows. Return the page and the cursor of the next."""
    if len(rows) <= limit:
        return rows, None
    shown = rows[:limit]
    raw = msgspec.json.encode(key(shown[-1]))
    return shown, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unstorable(part: Any) -> bool:
    """Whether a database would choke on a value that nobody but a forger puts into a cursor."""
    if isinstance(part, str):
        return "\0" in part
    return isinstance(part, int) and not -(2**63) <= part < 2**63


def unknown_cursor() -> InvalidRequest:
    """The refusal of a cursor that is none of the list's."""
    return InvalidRequest(
        "This is no cursor of this list. Give the `next_cursor` of a page as it is, or leave it out.",
        param="cursor",
        code="invalid_cursor",
    )
