"""The shape of OpenAI's errors. https://platform.openai.com/docs/guides/error-codes."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from gateway.errors import GatewayError
from gateway.wire.body import UNREADABLE
from gateway.wire.dialect import StreamFailed


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"error": {"message", "type", "param", "code"}}`, with Azure's `innererror` where there is one."""
    fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    if error.inner is not None:
        fields["innererror"] = error.inner
    return msgspec.json.encode({"error": fields})


def stream_failed(raw: bytes) -> StreamFailed:
    """Read the `error` of an event inside a stream, which is an object or a text."""
    try:
        fields = msgspec.json.decode(raw)
    except UNREADABLE:
        fields = {}
    if not isinstance(fields, dict):
        return StreamFailed(str(fields), type=None, code=None, status=None)
    fields = cast("dict[str, Any]", fields)
    code, status = fields.get("code"), fields.get("status")
    if isinstance(code, int):
        code, status = None, code
    return StreamFailed(
        str(fields.get("message") or "the provider reported an error in its stream"),
        type=str(fields["type"]) if fields.get("type") else None,
        code=str(code) if code else None,
        status=status if isinstance(status, int) and 400 <= status <= 599 else None,  # noqa: PLR2004 - HTTP's error range
    )
