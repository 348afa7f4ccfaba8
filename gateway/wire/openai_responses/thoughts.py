"""Takes thoughts that OpenAI never had out of a conversation that goes to it untranslated.

They come from another provider that answered before, or for which this one steps in; OpenAI would look for them in vain.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.wire.body import UNREADABLE
from gateway.wire.openai_responses.sealed import MARK

FOREIGN: Final = "rs_gw"
"""What ids of other providers' thoughts begin with, instead of `rs`."""
_SIGNS: Final = (f'"{MARK}'.encode(), f'"{FOREIGN}_'.encode())
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def own_thoughts_only(body: bytes) -> bytes:
    """Return the body without thoughts that the gateway has made items of; the same bytes if there are none."""
    if not any(sign in body for sign in _SIGNS):
        return body
    try:
        fields = _decode(body)
    except UNREADABLE:
        return body  # the provider will say what is wrong with it
    items = fields.get("input")
    if not isinstance(items, list):
        return body
    kept = [item for item in cast("list[Any]", items) if not _is_foreign(item)]
    return body if kept == items else msgspec.json.encode({**fields, "input": kept})


def _is_foreign(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    fields = cast("dict[str, Any]", item)
    if fields.get("type") != "reasoning":
        return False
    encrypted = fields.get("encrypted_content")
    if encrypted:
        return str(encrypted).startswith(MARK)
    return str(fields.get("id")).startswith(FOREIGN)
