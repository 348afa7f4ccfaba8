"""`did:abt`, the DIDs of DID Wallets, and the tokens that they and applications sign for each other.

The tokens look like JWTs and are none: times are texts, the header says `type`, and from version 1.1.0 on the signature is
over the SHA3-256 digest of header and payload. Only Ed25519 is read.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import AuthenticationFailed, InvalidRequest
from gateway.sdk.did_abt import APPLICATION, abt_did
from gateway.sdk.did_key import base58, from_base58
from gateway_wallet.compact import encoded, parse

_METHOD: Final = "did:abt:"
_BYTES: Final = 26
_TYPE: Final = slice(0, 2)
_KEY_AND_HASH: Final = 0x3FF
"""The lower bits of a type; those above tell the role."""

_ED25519_SHA3: Final = 1
_KEY_BYTES: Final = 32
_LONGEST: Final = 100

_SECONDS: Final = 300
_TOLERANCE: Final = 5
"""Seconds by which clocks may differ, as in the other implementations."""

_HASHED: Final = "1.1.0"
_DIGITS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class App:
    """The gateway as wallets see it: an application with a DID."""

    def __init__(self, secret: str) -> None:
        # Tools of ArcBlock print 64 bytes, of which the second half is the public key.
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret.removeprefix("0x")[:64]))
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.did = _METHOD + abt_did(public, APPLICATION)
        self.public_key = "z" + base58(public)

    def sign(self, payload: Mapping[str, Any]) -> str:
        """Sign what a wallet is to read, good for five minutes."""
        now = int(time.time())
        body = {
            "iss": self.did,
            "iat": str(now),
            "nbf": str(now),
            "exp": str(now + _SECONDS),
            "version": _HASHED,
            **payload,
        }
        signed = f"{_json({'alg': 'Ed25519', 'type': 'JWT'})}.{_json(body)}"
        return f"{signed}.{encoded(self._key.sign(hashlib.sha3_256(signed.encode()).digest()))}"


def verified(token: str, public_key: str, *, now: float) -> tuple[str, dict[str, Any]]:
    """Return the DID that signed a token, and what it says. Raises `AuthenticationFailed`, `InvalidRequest`."""
    key = _public_key(public_key)
    compact = parse(token)
    header, payload = compact.header, compact.payload
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() != "ed25519":
        raise _refusal("only wallets with Ed25519 keys are known here")
    did = payload.get("iss")
    if not isinstance(did, str) or not is_of_key(did, key):
        raise _refusal("'iss' does not belong to the public key")
    signed = compact.signed
    if payload.get("version") == _HASHED:
        signed = hashlib.sha3_256(signed).digest()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(compact.signature, signed)
    except InvalidSignature:
        raise _refusal("the signature is not good") from None
    issued, expires = _seconds(payload, "iat"), _seconds(payload, "exp")
    if expires + _TOLERANCE < now:
        raise _refusal("it has expired")
    if max(issued, _seconds(payload, "nbf") if "nbf" in payload else 0) > now + _TOLERANCE:
        raise _refusal("it is not valid yet: is the clock of the wallet right?")
    return did, payload


def is_of_key(did: str, key: bytes) -> bool:
    """Whether a DID is that of an Ed25519 key, in whatever role."""
    address = did.removeprefix(_METHOD)
    if not address.startswith("z") or len(address) > _LONGEST:
        return False
    try:
        data = from_base58(address[1:]).rjust(_BYTES, b"\0")
    except InvalidRequest:
        return False
    kind = data[_TYPE]
    return int.from_bytes(kind) & _KEY_AND_HASH == _ED25519_SHA3 and address == abt_did(key, kind)


def _public_key(text: str) -> bytes:
    """Read a key in base 58 or in hex, as wallets send it."""
    if len(text) <= _LONGEST:
        try:
            key = bytes.fromhex(text[2:]) if text.startswith("0x") else from_base58(text.removeprefix("z"))
        except ValueError:
            key = b""
        if len(key) == _KEY_BYTES:
            return key
    raise InvalidRequest("'userPk' must be an Ed25519 key of 32 bytes, in base 58 or hex.", param="userPk")


def _seconds(payload: Mapping[str, Any], name: str) -> int:
    value = str(payload.get(name, ""))
    if not _DIGITS.fullmatch(value):
        raise _refusal(f"'{name}' must be Unix seconds")
    return int(value)


def _json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return encoded(text.encode())


def _refusal(problem: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"The wallet's answer is refused: {problem}.", code="proof_refused")
