"""ETags, made of revisions; and what a request says about them. RFC 9110, section 13."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import InvalidRequest
from gateway.store.changes import Expected

_TAG: Final = re.compile(rb'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_REVISION: Final = re.compile(rb"[0-9]{1,18}")


def etag(revision: int) -> str:
    """The tag of a revision."""
    return f'"{revision}"'


def if_match(header: bytes | None) -> Expected:
    """The revisions that `If-Match` names; None for `*`. Tags that are weak or of somebody else match nothing.

    Raises `InvalidRequest`: 428 without the header, 400 when it cannot be read.
    """
    if header is None:
        raise InvalidRequest(
            "Say which revision you change: send the ETag that you read, as 'If-Match: \"12\"', or 'If-Match: *'.",
            status=428,
            code="if_match_required",
        )
    if header.strip() == b"*":
        return None
    return frozenset(revision for revision, weak in _read(header) if not weak and revision is not None)


def none_match(header: bytes | None, revision: int) -> bool:
    """Whether `If-None-Match` names this revision: the client has it already. Compares weakly, as it should."""
    if header is None:
        return False
    if header.strip() == b"*":
        return True
    return any(found == revision for found, _ in _read(header))


def _read(header: bytes) -> list[tuple[int | None, bool]]:
    found: list[tuple[int | None, bool]] = []
    position = 0
    while position < len(header):
        match = _TAG.match(header, position)
        if match is None:
            raise InvalidRequest(
                'An ETag cannot be read. It looks like "12", quotes included.', code="invalid_etag"
            )
        tag = match[2]
        found.append((int(tag) if _REVISION.fullmatch(tag) else None, match[1] is not None))
        position = match.end()
    return found
