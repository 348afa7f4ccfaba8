"""Ethereum accounts: addresses as EIP-55 writes them, and who signed a text (EIP-191)."""

from __future__ import annotations

import re
from typing import Final

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

_ADDRESS: Final = re.compile(r"0x[0-9A-Fa-f]{40}")
_HEX: Final = re.compile(r"0x(?:[0-9A-Fa-f]{2})+")
_SIGNATURE_BYTES: Final = 65
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1."""


def checksummed(address: str) -> str:
    """Write an address as EIP-55 does. Raises ValueError for what is none."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError("an address is '0x' and 40 hex digits")
    return to_checksum_address(address)


def signer_of(message: str, signature: str) -> str:
    """Return the checksummed address of who signed a text with `personal_sign`. Raises ValueError.

    Takes 65 bytes r, s, v with v of 27, 28, 0 or 1. The second signature that exists for each, with a high s, is refused
    (EIP-2).
    """
    data = signature_bytes(signature)
    if len(data) != _SIGNATURE_BYTES:
        raise ValueError(f"a signature of a key is {_SIGNATURE_BYTES} bytes, not {len(data)}")
    r, s, v = int.from_bytes(data[:32]), int.from_bytes(data[32:64]), data[64]
    if v not in {0, 1, 27, 28}:
        raise ValueError("the last byte of the signature must be 27, 28, 0 or 1")
    if s > _ORDER // 2:
        raise ValueError("the signature has a high s value")
    try:
        key = Signature(vrs=(v % 27, r, s)).recover_public_key_from_msg_hash(digest_of(message))
    except (BadSignature, ValidationError):
        raise ValueError("the signature is not good") from None
    return key.to_checksum_address()


def digest_of(message: str) -> bytes:
    """Return what is signed of a text (EIP-191)."""
    text = message.encode()
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(text) + text)


def signature_bytes(signature: str) -> bytes:
    """Read a signature of a key or of a contract. Raises ValueError for what is no hex."""
    if not _HEX.fullmatch(signature):
        raise ValueError("a signature is '0x' and hex digits, two for each byte")
    return bytes.fromhex(signature[2:])
