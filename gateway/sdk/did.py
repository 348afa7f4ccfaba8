"""Proofs that one holds the private key of a did:key: how programs sign in. Needs the package `cryptography`."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.sdk.did_key import ED25519, P256, did_of

if TYPE_CHECKING:
    from pathlib import Path

PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey

PROOF_TYPE = "did-proof+jwt"
"""The `typ` of a proof, so that no other signed token can stand for one."""

PROOF_SECONDS = 120
"""How long a proof made here is good."""


def load_key(path: Path) -> PrivateKey:
    """Read a private key without passphrase from a PEM file. Raises ValueError for another kind, OSError."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError(f"{path} holds no Ed25519 or P-256 key: `openssl genpkey -algorithm ed25519` makes one")


def did_of_key(key: PrivateKey) -> str:
    """Name a private key by its public one."""
    public = key.public_key()
    if isinstance(public, Ed25519PublicKey):
        return did_of(public.public_bytes(Encoding.Raw, PublicFormat.Raw), ED25519)
    return did_of(public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint), P256)


def prove(key: PrivateKey, *, challenge: str, audience: str) -> str:
    """Sign a challenge of the gateway's: a compact JWS, good for two minutes at that audience."""
    did = did_of_key(key)
    now = int(time.time())
    algorithm = "Ed25519" if isinstance(key, Ed25519PrivateKey) else "ES256"
    header = {"alg": algorithm, "typ": PROOF_TYPE, "kid": f"{did}#{did.removeprefix('did:key:')}"}
    payload = {
        "iss": did,
        "aud": audience,
        "nonce": challenge,
        "iat": now,
        "exp": now + PROOF_SECONDS,
    }
    signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(payload).encode())}"
    return f"{signed}.{_encoded(_signature(key, signed.encode()))}"


def _signature(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    r, s = decode_dss_signature(key.sign(data, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
