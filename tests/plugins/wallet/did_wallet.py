"""A DID Wallet, written after the packages that real ones use, and sharing no code with the gateway."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def b58(data: bytes) -> str:
    number, text = int.from_bytes(data), ""
    while number > 0:
        text, number = LETTERS[number % 58] + text, number // 58
    for byte in data:
        if byte:
            break
        text = "1" + text
    return text


def unb58(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + LETTERS.index(letter)
    return number.to_bytes(32)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().replace("=", "")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "===")


def sha3(data: bytes) -> bytes:
    return hashlib.sha3_256(data).digest()


def address(key: bytes, type: bytes) -> str:
    body = type + sha3(key)[:20]
    return "z" + b58(body + sha3(body)[:4])


class DidWallet:
    """One identity of a wallet's."""

    def __init__(self, seed: int = 1, *, version: str = "1.1.0", type: bytes = b"\x00\x01") -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32))
        self.public = self.key.public_key().public_bytes_raw()
        self.did = "did:abt:" + address(self.public, type)
        self.version = version

    @property
    def user_pk(self) -> str:
        return "z" + b58(self.public)

    def signed(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {
            "iss": self.did,
            "iat": str(now),
            "nbf": str(now),
            "exp": str(now + 300),
            "version": self.version,
            **claims,
        }
        parts = [
            json.dumps(part, sort_keys=True, separators=(",", ":")).encode()
            for part in (
                header or {"alg": "Ed25519", "type": "JWT"},
                {k: v for k, v in body.items() if v != ""},
            )
        ]
        text = ".".join(b64(part) for part in parts)
        to_sign = sha3(text.encode()) if body["version"] == "1.1.0" else text.encode()
        return f"{text}.{b64(self.key.sign(to_sign))}"

    def answer(self, challenge: str, action: str = "responseAuth", **claims: Any) -> dict[str, str]:
        told = [{"type": "authPrincipal", "userDid": self.did, "userPk": self.user_pk}]
        claims = {"action": action, "challenge": challenge, "requestedClaims": told, **claims}
        return {"userPk": self.user_pk, "userInfo": self.signed(**claims)}


def read(answer: dict[str, str]) -> dict[str, Any]:
    """What an application has signed; fails when it has not."""
    header, payload, signature = answer["authInfo"].split(".")
    assert json.loads(unb64(header)) == {"alg": "Ed25519", "type": "JWT"}
    body: dict[str, Any] = json.loads(unb64(payload))
    assert body["version"] == "1.1.0"
    key = unb58(answer["appPk"].removeprefix("z"))
    Ed25519PublicKey.from_public_bytes(key).verify(unb64(signature), sha3(f"{header}.{payload}".encode()))
    assert body["iss"] == "did:abt:" + address(key, b"\x0c\x01")
    assert isinstance(body["exp"], str)
    assert time.time() < int(body["exp"]) <= time.time() + 300
    return body
