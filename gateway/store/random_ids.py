"""Random ids and secrets: a prefix that says what they are of, and base 62."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_BITS, _ID_LENGTH = 80, 14
_SECRET_BITS, _SECRET_LENGTH = 256, 43  # 62 ** 43 > 2 ** 256


def new_id(prefix: str) -> str:
    """Make an id of 80 random bits: `key_` and 14 characters. Unique, not secret."""
    return prefix + _base62(secrets.randbits(_ID_BITS), _ID_LENGTH)


def new_secret(prefix: str) -> str:
    """Make a secret of 256 random bits: `gw_` and 43 characters."""
    return prefix + _base62(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH)


def _base62(number: int, length: int) -> str:
    characters: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(characters)
