"""Takes thoughts that Anthropic never had out of a conversation that goes to it untranslated.

They come from another provider that answered before, or for which this one steps in; Anthropic would refuse their signatures.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.wire.anthropic_messages.seals import MARK
from gateway.wire.body import UNREADABLE

_SIGNS: Final = (f'"{MARK}'.encode(), b'"signature":""', b'"signature": ""')
"""One of these is in every body that holds such a thought, unless it was written oddly."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def own_thoughts_only(body: bytes) -> bytes:
    """Return the body without thoughts that have no signature, or another provider's; the same bytes if there are none."""
    if not any(sign in body for sign in _SIGNS):
        return body
    try:
        fields = _decode(body)
    except UNREADABLE:
        return body  # the provider will say what is wrong with it
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return body
    kept = [_without(message) for message in cast("list[Any]", messages)]
    if kept == messages:
        return body
    fields["messages"] = [message for message in kept if message is not None]
    return msgspec.json.encode(fields)


def _without(message: Any) -> Any:
    """Return a message without such thoughts; None when nothing else was in it."""
    if not isinstance(message, dict):
        return message
    fields = cast("dict[str, Any]", message)
    if not isinstance(fields.get("content"), list):
        return fields
    blocks = cast("list[Any]", fields["content"])
    kept = [block for block in blocks if not _is_foreign(block)]
    if len(kept) == len(blocks):
        return fields
    return {**fields, "content": kept} if kept else None


def _is_foreign(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    fields = cast("dict[str, Any]", block)
    if fields.get("type") == "thinking":
        return fields.get("signature") == "" or str(fields.get("signature")).startswith(MARK)
    return fields.get("type") == "redacted_thinking" and str(fields.get("data")).startswith(MARK)
