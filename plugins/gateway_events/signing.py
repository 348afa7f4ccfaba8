"""Signatures of webhooks by the Standard Webhooks scheme `v1`, https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
_FEWEST, _MOST = 24, 64  # bytes, as the specification demands


def key_of(secret: str) -> bytes:
    """The key in a secret: base64, with or without `whsec_` before it. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret of webhooks is {PREFIX} and base64") from None
    if not _FEWEST <= len(key) <= _MOST:
        raise ValueError(f"a secret of webhooks holds {_FEWEST} to {_MOST} bytes, not {len(key)}")
    return key


def signed(id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers that sign a message, with one signature for each key; `timestamp` in Unix seconds."""
    content = b"%s.%d.%s" % (id.encode(), timestamp, body)
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
