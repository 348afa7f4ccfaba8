"""Thoughts of other providers, carried by Gemini's clients in `thoughtSignature`, which they give back unread."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import Thinking, ThinkingEnd
from gateway.wire.foreign import without
from gateway.wire.gemini_generate.shapes import DIALECT

_MARK: Final = b"asgi-gateway:"
"""No provider's own signature begins like this."""

_SIGN: Final = base64.b64encode(_MARK[:12])
"""So begins what carries another provider's, in either alphabet."""
_UNSIGNED: Final = "skip_thought_signature_validator"
"""What Gemini 3 takes on calls of another model's. https://ai.google.dev/gemini-api/docs/thought-signatures."""


class _Carried(Struct, omit_defaults=True):
    origin: Dialect
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None


_decode = msgspec.json.Decoder(_Carried).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode


def standard(data: str) -> str:
    """Return base64 in the standard alphabet, padded; clients may send it in the alphabet for URLs, and without padding."""
    data = data.translate({0x2D: 0x2B, 0x5F: 0x2F}).rstrip("=")
    return data + "=" * (-len(data) % 4)


def of_call(signature: str | None) -> str | None:
    """Return the signature of a call; None for one that only says that there is none."""
    return None if signature == _UNSIGNED else signature


def sign_step(parts: Sequence[dict[str, Any]]) -> None:
    """Say of a step's first call, the only one that needs it, that it is not signed, if it is not."""
    call = next((part for part in parts if "functionCall" in part), None)
    if call is not None:
        call.setdefault("thoughtSignature", _UNSIGNED)


def own_thoughts_only(body: bytes) -> bytes:
    """Return a request for Gemini without thoughts that other providers have signed; the same bytes if there are none."""
    if _SIGN not in body:
        return body
    try:
        fields = _decode_fields(body)
    except UNREADABLE:
        return body  # the provider will say what is wrong with it
    contents = fields.get("contents")
    if not isinstance(contents, list):
        return body
    kept = without(cast("list[Any]", contents), "parts", _is_foreign)
    return body if kept == contents else msgspec.json.encode({**fields, "contents": kept})


def _is_foreign(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    fields = cast("dict[str, Any]", part)
    signature = fields.get("thoughtSignature") or fields.get("thought_signature")
    return bool(fields.get("thought")) and str(signature).startswith(_SIGN.decode())


def written(thought: Thinking | ThinkingEnd) -> str | None:
    """Return the signature to show to a Gemini client; None when there is none."""
    if thought.origin in {None, DIALECT}:
        return thought.signature
    if not (thought.signature or thought.encrypted):
        return None
    assert thought.origin is not None
    carried = _Carried(thought.origin, thought.signature, thought.encrypted, thought.id)
    return base64.b64encode(_MARK + msgspec.json.encode(carried)).decode()


def read(text: str, signature: str | None) -> Thinking:
    """Make a thought of what a Gemini client gave back."""
    if signature is None:
        return Thinking(text=text, origin=DIALECT)
    try:
        data = base64.b64decode(signature, validate=True)
        if data.startswith(_MARK):
            carried = _decode(data[len(_MARK) :])
            return Thinking(
                text=text,
                signature=carried.signature,
                encrypted=carried.encrypted,
                id=carried.id,
                origin=carried.origin,
            )
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        pass  # not made here, so it is Gemini's own
    return Thinking(text=text, signature=signature, origin=DIALECT)
