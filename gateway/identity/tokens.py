"""The tokens of a session: a short access token `gs_…`, and a refresh token `gr_…` that is good once.

All refresh tokens of a session begin with the same secret, its family: so an old one that somebody still holds is
known for what it is, however often the session was refreshed since. Each refresh makes its tokens from the token it
was given and a salt that the database keeps: so the answer to a request that was sent twice can be made once more,
while neither the database nor an old token alone leads to the new ones.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from msgspec import Struct

from gateway.store.random_ids import new_secret
from gateway.store.sessions import Digests

ACCESS, REFRESH = "gs_", "gr_"
_FAMILY_LENGTH = len(new_secret(REFRESH))


class Tokens(Struct, frozen=True):
    """A pair of tokens."""

    access: str
    refresh: str


def family_of(refresh: str) -> str:
    """What all refresh tokens of the session begin with."""
    return refresh[:_FAMILY_LENGTH]


def digest_of(token: str | bytes) -> bytes:
    """Under which a token is stored; it holds 256 random bits, so it needs no salt and no slow hash."""
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()


def first_tokens(now: float) -> tuple[Tokens, Digests]:
    """Make the tokens of a new session."""
    return _made(new_secret(REFRESH), now, spent=None)


def next_tokens(refresh: str, now: float) -> tuple[Tokens, Digests]:
    """Make the tokens that replace a refresh token and its access token."""
    return _made(refresh, now, spent=digest_of(refresh))


def same_tokens(refresh: str, salt: bytes) -> Tokens:
    """Make the tokens once more that this refresh token was already replaced with."""
    return Tokens(
        ACCESS + _derived(salt, b"access", refresh),
        family_of(refresh) + _derived(salt, b"refresh", refresh),
    )


def _made(source: str, now: float, *, spent: bytes | None) -> tuple[Tokens, Digests]:
    salt = secrets.token_bytes(32)
    tokens = same_tokens(source, salt)
    digests = Digests(
        access=digest_of(tokens.access),
        refresh=digest_of(tokens.refresh),
        spent=spent,
        family=digest_of(family_of(source)),
        salt=salt,
        refreshed_at=now,
    )
    return tokens, digests


def _derived(salt: bytes, purpose: bytes, source: str) -> str:
    return hmac.digest(salt, purpose + b" " + source.encode(), "sha256").hex()
