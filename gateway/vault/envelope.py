"""Envelopes: a secret sealed with a data key of its own, and that key wrapped with a master key.

AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits. The bytes, in order:

    version (1) · id of the master key (8) · nonce (12) · wrapped data key (48) · nonce (12) · sealed secret (n + 16)

Both layers are bound to the place that the secret is for, so that an envelope opens nowhere else. Another master key
changes the first 69 bytes alone: the secret is not touched.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Final

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION: Final = b"\x01"
KEY_BYTES: Final = 32
ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_NONCE_AT: Final = len(VERSION) + ID_BYTES
_WRAPPED_AT: Final = _NONCE_AT + _NONCE_BYTES
_SECRET_AT: Final = _WRAPPED_AT + KEY_BYTES + _TAG_BYTES
_SHORTEST: Final = _SECRET_AT + _NONCE_BYTES + _TAG_BYTES


class CannotOpen(GatewayError):
    """An envelope does not open: it is damaged, for another place, or sealed with a key that is not there (503)."""

    status = 503
    code = "vault_cannot_open"


class MasterKey:
    """One master key. Its id is derived from it, and tells nothing about it."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        self._cipher = _cipher(key)
        self.id = hmac.digest(key, b"gateway vault: id of a master key", hashlib.sha256)[:ID_BYTES].hex()

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    def wrap(self, data_key: bytes, place: bytes) -> bytes:
        """Wrap a data key: the first part of an envelope."""
        head = VERSION + bytes.fromhex(self.id)
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + self._cipher.encrypt(nonce, data_key, b"data key" + head + place)

    def unwrap(self, envelope: bytes, place: bytes) -> bytes:
        """Return the data key of an envelope. Raises `CannotOpen`."""
        nonce, wrapped = envelope[_NONCE_AT:_WRAPPED_AT], envelope[_WRAPPED_AT:_SECRET_AT]
        return _opened(self._cipher, nonce, wrapped, b"data key" + envelope[:_NONCE_AT] + place)


def seal(secret: bytes, key: MasterKey, place: bytes) -> bytes:
    """Seal a secret for one place."""
    data_key, nonce = os.urandom(KEY_BYTES), os.urandom(_NONCE_BYTES)
    sealed = _cipher(data_key).encrypt(nonce, secret, b"secret" + VERSION + place)
    return key.wrap(data_key, place) + nonce + sealed


def unseal(envelope: bytes, key: MasterKey, place: bytes) -> bytes:
    """Return the secret. Raises `CannotOpen`."""
    data_key = key.unwrap(envelope, place)
    nonce, sealed = sealed_part(envelope)[:_NONCE_BYTES], sealed_part(envelope)[_NONCE_BYTES:]
    return _opened(_cipher(data_key), nonce, sealed, b"secret" + VERSION + place)


def rewrap(envelope: bytes, old: MasterKey, new: MasterKey, place: bytes) -> bytes:
    """Wrap the data key with another master key; the sealed secret stays as it is. Raises `CannotOpen`."""
    return new.wrap(old.unwrap(envelope, place), place) + sealed_part(envelope)


def sealed_part(envelope: bytes) -> bytes:
    """Return what no change of the master key changes, and every change of the secret does."""
    return envelope[_SECRET_AT:]


def key_id(envelope: bytes) -> str:
    """Return the id of the master key that an envelope needs. Raises `CannotOpen` when it is no envelope."""
    if len(envelope) < _SHORTEST or not envelope.startswith(VERSION):
        raise CannotOpen("What is stored is no envelope of this vault, or of a newer version of it.")
    return envelope[len(VERSION) : _NONCE_AT].hex()


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra

    return AESGCM(key)


def _opened(cipher: AESGCM, nonce: bytes, data: bytes, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra

    try:
        return cipher.decrypt(nonce, data, bound)
    except InvalidTag:
        raise CannotOpen("What is stored was changed, or belongs to another place.") from None
