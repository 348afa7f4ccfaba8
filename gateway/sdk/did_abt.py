"""did:abt, ArcBlock's DID: https://github.com/ArcBlock/abt-did-spec. Those of Ed25519 keys with SHA3."""

from __future__ import annotations

import hashlib
from typing import Final

from gateway.sdk.did_key import base58

ACCOUNT: Final = b"\x00\x01"
APPLICATION: Final = b"\x0c\x01"
"""The two bytes of a type: six bits of role, five of the kind of key (Ed25519), five of hash (SHA3)."""


def abt_did(public_key: bytes, type: bytes = ACCOUNT) -> str:
    """The DID of an Ed25519 public key, as `z…`; with `did:abt:` before it, it is a URI."""
    digest = type + hashlib.sha3_256(public_key).digest()[:20]
    return "z" + base58(digest + hashlib.sha3_256(digest).digest()[:4])
