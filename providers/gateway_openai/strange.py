"""Takes out of messages what other services say of their thoughts, and clients give back as they got it.

`reasoning_content` is DeepSeek's (https://api-docs.deepseek.com/guides/reasoning_model), `reasoning_details` are
OpenRouter's (https://openrouter.ai/docs/use-cases/reasoning-tokens), `extra_content` with thought signatures is Google's
(https://ai.google.dev/gemini-api/docs/openai); the gateway says other providers' thoughts in all three.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from gateway.wire.body import UNREADABLE

THOUGHTS: Final = (b"reasoning_content",)
DETAILS: Final = (b"reasoning_details",)
SIGNATURES: Final = (b"extra_content",)
EXTRAS: Final = (*DETAILS, *SIGNATURES)
ALL: Final = (*THOUGHTS, *EXTRAS)
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_messages = msgspec.json.Decoder(list[Any]).decode


def without(body: bytes, strange: tuple[bytes, ...]) -> bytes:
    """Return a chat's body without these fields in its answers and calls; the same bytes if there are none."""
    present = [name.decode() for name in strange if name in body]
    if not present:
        return body
    try:
        fields = _decode_fields(body)
        messages = _decode_messages(fields["messages"])
    except UNREADABLE:
        return body  # the service will say what is wrong with it
    if not sum(_strip(message, present) for message in messages):
        return body
    fields["messages"] = msgspec.Raw(msgspec.json.encode(messages))
    return msgspec.json.encode(fields)


def _strip(message: Any, names: list[str]) -> int:
    """Take the fields out of one message; returns how many there were."""
    if not isinstance(message, dict):
        return 0
    said = cast("dict[str, Any]", message)
    if said.get("role") != "assistant":
        return 0
    calls = said.get("tool_calls")
    listed = cast("list[Any]", calls) if isinstance(calls, list) else []
    holders = [said, *(cast("dict[str, Any]", call) for call in listed if isinstance(call, dict))]
    found = [(holder, name) for holder in holders for name in names if name in holder]
    for holder, name in found:
        del holder[name]
    return len(found)
