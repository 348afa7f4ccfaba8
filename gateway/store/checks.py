"""What the repositories check of what they are given."""

from __future__ import annotations

from gateway.errors import InvalidRequest


def check_name(what: str, value: str, limit: int, *, param: str) -> None:
    """Refuse a name that is empty, too long or not printable. Raises `InvalidRequest`."""
    if not value.strip() or len(value) > limit or not value.isprintable():
        raise InvalidRequest(f"The {what} is 1 to {limit} printable characters.", param=param)
