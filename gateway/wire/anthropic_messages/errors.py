"""Anthropic's errors: a type for each status. https://platform.claude.com/docs/en/api/errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec

from gateway.errors import GatewayError
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import StreamFailed

_STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
"""The status that each type of error has when it is not told inside a stream."""
_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {**{status: kind for kind, status in _STATUSES.items()}, 503: "overloaded_error"}
)
_SERVER_ERRORS: Final = 500


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"type": "error", "error": {"type", "message"}, "request_id"}`."""
    kind = _TYPES.get(error.status) or (error.type if error.type in _STATUSES else None)
    if kind is None:
        kind = "api_error" if error.status >= _SERVER_ERRORS else "invalid_request_error"
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": kind, "message": error.message},
            "request_id": error.request_id,
        }
    )


def failed(raw: bytes) -> StreamFailed:
    """Read the `error` of an event of that name."""
    try:
        fields = msgspec.json.decode(raw)
    except UNREADABLE:
        fields = None
    if not isinstance(fields, dict):
        return StreamFailed("the provider reported an error in its stream", type=None, code=None, status=None)
    fields = cast("dict[str, Any]", fields)
    kind = str(fields["type"]) if fields.get("type") else None
    message = str(fields.get("message") or "the provider reported an error in its stream")
    return StreamFailed(message, type=kind, code=None, status=_STATUSES.get(kind or ""))
