"""Thoughts of other providers, carried by Gemini's clients in `thoughtSignature`, which they give back unread."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.canonical import Thinking, ThinkingEnd
from gateway.wire.gemini_generate.shapes import DIALECT

_MARK: Final = b"asgi-gateway:"
"""No provider's own signature begins like this."""


class _Carried(Struct, omit_defaults=True):
    origin: Dialect
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None


_decode = msgspec.json.Decoder(_Carried).decode


def standard(data: str) -> str:
    """Return base64 in the standard alphabet, padded; clients may send it in the alphabet for URLs, and without padding."""
    data = data.translate({0x2D: 0x2B, 0x5F: 0x2F}).rstrip("=")
    return data + "=" * (-len(data) % 4)


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
