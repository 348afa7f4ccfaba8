"""A stored response as its owner may see it."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateway.store.responses import StoredResponse

_decode = msgspec.json.Decoder(dict[str, Raw]).decode


def shown(row: StoredResponse) -> bytes:
    """Return the response object with its present status."""
    status = Raw(msgspec.json.encode(row.status))
    fields = _decode(row.response)
    if fields.get("status") == status:
        return row.response
    return msgspec.json.encode({**fields, "status": status})
