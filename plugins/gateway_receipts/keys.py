"""The key that signs receipts, and those that did so before it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.sdk.receipts import ALGORITHM

_SEED = 32


class Signer:
    """Signs with Ed25519. Raises ValueError, without the key in it, for one that is none."""

    def __init__(self, key: str, retired: Sequence[Mapping[str, str]]) -> None:
        pem = _private(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = OKPKey.import_key(pem)
        self._head = {"alg": ALGORITHM, "kid": self._key.thumbprint()}
        own: Mapping[str, Any] = {
            **self._key.as_dict(private=False),
            "kid": self._head["kid"],
            "alg": ALGORITHM,
            "use": "sig",
        }
        self.public: Mapping[str, Any] = {"keys": [own, *(_public(each) for each in retired)]}
        """A JWK set: this key first (RFC 7517)."""

    def sign(self, payload: bytes) -> str:
        """A compact JWS (RFC 7515)."""
        return jws.serialize_compact(self._head, payload, self._key, algorithms=[ALGORITHM])


def _private(text: str) -> Ed25519PrivateKey:
    if text.lstrip().startswith("-----BEGIN"):
        key = load_pem_private_key(text.encode(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("expected the private key of Ed25519")
        return key
    try:
        seed = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except ValueError:
        seed = b""
    if len(seed) != _SEED:
        raise ValueError(
            "expected PEM, or 32 bytes in base64url: `openssl genpkey -algorithm ed25519` makes one"
        )
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(jwk: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        key = OKPKey.import_key(dict(jwk))
    except (JoseError, ValueError, KeyError) as error:
        raise ValueError("a retired key is not the public JWK of an Ed25519 key") from error
    if key.is_private:
        raise ValueError("a retired key holds the private part: keep only `kty`, `crv`, `x` and `kid`")
    kid = jwk.get("kid") or key.thumbprint()
    return {**key.as_dict(private=False), "kid": kid, "alg": ALGORITHM, "use": "sig"}
