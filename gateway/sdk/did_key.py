"""did:key, a DID that holds a public key: https://w3c-ccg.github.io/did-key-spec/."""

from __future__ import annotations

from typing import Final

from gateway.errors import InvalidRequest

ED25519: Final = b"\xed\x01"
P256: Final = b"\x80\x24"
"""Multicodec prefixes, as unsigned varints."""

_PREFIX: Final = "did:key:z"
_SIZES: Final = {ED25519: 32, P256: 33}
_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_LONGEST: Final = 100


def did_of(public_key: bytes, kind: bytes = ED25519) -> str:
    """The did:key of a raw public key: 32 bytes for Ed25519, 33 (a compressed point) for P-256."""
    return _PREFIX + base58(kind + public_key)


def key_of(did: str) -> tuple[bytes, bytes]:
    """The kind (`ED25519` or `P256`) and the raw public key of a did:key. Raises `InvalidRequest`."""
    if not did.startswith(_PREFIX) or len(did) > _LONGEST:
        raise InvalidRequest("a did:key begins with 'did:key:z'", param="did")
    data = from_base58(did[len(_PREFIX) :])
    kind, key = data[:2], data[2:]
    if _SIZES.get(kind) != len(key):
        raise InvalidRequest("this did:key holds neither an Ed25519 nor a P-256 key", param="did")
    return kind, key


def base58(data: bytes) -> str:
    """Encode with Bitcoin's alphabet."""
    number, digits = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        digits = _ALPHABET[rest] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def from_base58(text: str) -> bytes:
    """Decode. Raises `InvalidRequest` for a character that is not of the alphabet."""
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise InvalidRequest(f"{character!r} is no character of base58")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
