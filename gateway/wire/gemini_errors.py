"""The shape of Google's errors. https://cloud.google.com/apis/design/errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from gateway.errors import GatewayError
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import StreamFailed

STATUSES: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Names of google.rpc.Code by HTTP status."""
_OWN: Final = frozenset({*STATUSES.values(), "OUT_OF_RANGE", "ALREADY_EXISTS", "DATA_LOSS", "UNKNOWN"})
_TYPES: Final = "type.googleapis.com/google.rpc."


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"error": {"code", "message", "status", "details"}}`."""
    server = "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT"  # noqa: PLR2004 - HTTP's range of server errors
    said = error.code if error.code in _OWN else None
    fields: dict[str, Any] = {
        "code": error.status,
        "message": error.message,
        "status": said or STATUSES.get(error.status, server),
    }
    details = list(_details(error))
    if details:
        fields["details"] = details
    return msgspec.json.encode({"error": fields})


def failure_in(data: bytes) -> StreamFailed | None:
    """Read an error that came instead of an event, an object or a list of one; None when it is none."""
    if b'"error"' not in data:
        return None
    try:
        document = msgspec.json.decode(data)
    except UNREADABLE:
        return None
    if isinstance(document, list) and document:
        document = cast("list[Any]", document)[0]
    error: Any = cast("dict[str, Any]", document).get("error") if isinstance(document, dict) else None
    if not error:
        return None
    fields: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {"message": error}
    code, status = fields.get("code"), fields.get("status")
    return StreamFailed(
        str(fields.get("message") or "the provider reported an error in its stream"),
        type=None,
        code=status if isinstance(status, str) else None,
        status=code if isinstance(code, int) and 400 <= code <= 599 else None,  # noqa: PLR2004 - HTTP's error range
    )


def raise_failure(data: bytes) -> None:
    """Raise the error that came instead of an event, if it is one."""
    failure = failure_in(data)
    if failure is not None:
        raise failure


def _details(error: GatewayError) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if error.code and error.code not in _OWN:
        info = {"@type": f"{_TYPES}ErrorInfo", "reason": error.code.upper(), "domain": "asgi-gateway"}
        found.append(info)
    if error.param:
        violation = {"field": error.param, "description": error.message}
        found.append({"@type": f"{_TYPES}BadRequest", "fieldViolations": [violation]})
    for name, value in error.headers:
        if name == b"retry-after" and value.isdigit():
            found.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": f"{value.decode()}s"})
    return found
