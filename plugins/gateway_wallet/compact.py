"""Signed tokens of three parts, taken apart strictly: what the signature is over, and what it says."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway_wallet.desk import json_object

LONGEST: Final = 8000
"""Characters of a token that are read at most."""

_PARTS: Final = 3


class Compact(Struct, frozen=True, kw_only=True):
    """A token whose signature nobody has checked yet."""

    header: dict[str, Any]
    payload: dict[str, Any]
    signed: bytes
    """The bytes that the signature is over."""
    signature: bytes


def parse(token: str) -> Compact:
    """Take a token apart. Raises `InvalidRequest` for what is not exactly base64url of JSON objects."""
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != _PARTS or not token.isascii():
        raise InvalidRequest(
            f"A signed token is three parts with dots between, {LONGEST} characters at most."
        )
    header, payload, signature = (decoded(part) for part in parts)
    return Compact(
        header=json_object(header),
        payload=json_object(payload),
        signed=token.rpartition(".")[0].encode(),
        signature=signature,
    )


def decoded(text: str) -> bytes:
    """Decode base64url without padding, of which there is one way to write each. Raises `InvalidRequest`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        data = None
    if data is None or encoded(data) != text:
        raise InvalidRequest("A part of the signed token is not base64url without padding.")
    return data


def encoded(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
