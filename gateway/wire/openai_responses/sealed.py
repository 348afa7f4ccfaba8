"""Thoughts and signatures of other providers, carried in the one field that clients hand back unread: `encrypted_content`."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import Thinking

DIALECT: Final[Dialect] = "openai.responses"
MARK: Final = "gateway1."


class Sealed(Struct, omit_defaults=True):
    """What a reasoning item of ours keeps for the way back."""

    origin: Dialect | None = None
    signature: str | None = None
    encrypted: str | None = None
    call: str | None = None
    """The item only carries the signature of the tool call with this id."""


_decode = msgspec.json.Decoder(Sealed).decode


def seal(thought: Thinking) -> str | None:
    """Make the `encrypted_content` of a thought; OpenAI's own stays as it is."""
    if thought.origin == DIALECT:
        return thought.encrypted
    if thought.signature is None and thought.encrypted is None:
        return None
    return _write(Sealed(thought.origin, thought.signature, thought.encrypted))


def seal_call(call_id: str, signature: str) -> str:
    """Make the `encrypted_content` of an item that carries the signature of a tool call."""
    return _write(Sealed(signature=signature, call=call_id))


def unseal(content: str | None) -> Sealed:
    """Read `encrypted_content`: ours, or OpenAI's own."""
    if content is None or not content.startswith(MARK):
        return Sealed(origin=None if content is None else DIALECT, encrypted=content)
    try:
        return _decode(base64.urlsafe_b64decode(content[len(MARK) :]))
    except (*UNREADABLE, binascii.Error, ValueError):
        return Sealed(origin=DIALECT, encrypted=content)  # not what we wrote: for the provider to judge


def _write(sealed: Sealed) -> str:
    return MARK + base64.urlsafe_b64encode(msgspec.json.encode(sealed)).decode()
