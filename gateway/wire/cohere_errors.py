"""The shape of Cohere's errors. https://docs.cohere.com/v2/reference/errors."""

from __future__ import annotations

import msgspec

from gateway.errors import GatewayError


def error_body(error: GatewayError) -> bytes:
    """Shape an error as `{"message": …}`."""
    return msgspec.json.encode({"message": error.message})
