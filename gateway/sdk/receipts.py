"""Verifies receipts of calls: pure, without a gateway. Needs `asgi-gateway[receipts]`.

A receipt is a compact JWS (RFC 7515) signed with Ed25519 (RFC 8037, RFC 9864); its payload is canonical JSON (RFC 8785).
Each one names the account that it belongs to, its number there, and the hash of the receipt before it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from gateway.errors import InvalidRequest

ALGORITHM: Final = "Ed25519"


class Refused(InvalidRequest):
    """A receipt that is not good; the message says why."""


class Facts(Struct, frozen=True, kw_only=True):
    """What a receipt says."""

    account: str
    """A name for the account, which says nothing of who that is."""
    number: int
    """Counts the receipts of the account from 1."""
    previous: str | None
    """The hash of the receipt before; None for the first."""
    call: str
    request: str
    """The `x-request-id` of the answer."""
    model: str
    """As the client wrote it."""
    provider: str | None
    upstream_model: str | None
    usage: Mapping[str, int | str]
    """By the names of the ledger; what is 0 is left out, and what is no whole number is text."""
    estimated: bool
    """Whether the provider did not say, and the gateway counted."""
    price_version: str | None
    charge: str | None
    """A whole number of 10⁻⁹ credit; None where no price was known."""
    received_at: str
    """RFC 3339 in UTC, with milliseconds."""
    ended_at: str | None


class Problem(Struct, frozen=True):
    """The first thing that is wrong with some receipts."""

    place: int
    """Of the receipt among those given, from 0."""
    message: str


def encode(facts: Facts) -> bytes:
    """Canonical JSON (RFC 8785): there are no numbers but whole ones, and all names are ASCII."""
    values = msgspec.to_builtins(facts)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def hash_of(receipt: str) -> str:
    """What the next receipt says of this one: SHA-256 of its text, in base64url."""
    return base64.urlsafe_b64encode(hashlib.sha256(receipt.encode()).digest()).rstrip(b"=").decode()


class Chains:
    """Takes receipts one by one, each account's in its order.

    A chain may begin anywhere, as with those that one of several clients has kept; with `whole` it begins at its first.
    `jwks` is what the gateway publishes at `/.well-known/gateway-receipts`. Raises `Refused` for what is no JWK set.
    """

    def __init__(self, jwks: Mapping[str, Any], *, whole: bool = False) -> None:
        try:
            self._keys = KeySet.import_key_set({"keys": list(jwks["keys"])})
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise Refused("the keys are not a JWK set") from error
        self._whole = whole
        self._ends: dict[str, tuple[int, str]] = {}

    def add(self, receipt: str) -> Facts:
        """Verify the next receipt; return what it says. Raises `Refused`."""
        facts = self._read(receipt)
        end = self._ends.get(facts.account)
        if end is None and self._whole:
            end = 0, ""
        if end is not None:
            number, before = end
            if facts.number != number + 1:
                raise Refused(f"it is number {facts.number} of its account, and should be {number + 1}")
            if (facts.previous or "") != before:
                raise Refused("it does not follow the receipt before it: one of the two was replaced")
        elif (facts.number == 1) != (facts.previous is None):
            raise Refused("only the first receipt of an account has none before it")
        self._ends[facts.account] = facts.number, hash_of(receipt)
        return facts

    def end_of(self, account: str) -> tuple[int, str] | None:
        """The number and the hash of the last receipt that was added for an account."""
        return self._ends.get(account)

    def _read(self, receipt: str) -> Facts:
        try:
            payload = jws.deserialize_compact(receipt, self._keys, algorithms=[ALGORITHM]).payload
        except (JoseError, ValueError) as error:
            raise Refused("its signature is not that of any of the keys") from error
        try:
            facts = msgspec.json.decode(payload, type=Facts)
        except msgspec.DecodeError as error:
            raise Refused(f"it is signed, but no receipt: {error}") from error
        return facts


def verify(receipts: Iterable[str], jwks: Mapping[str, Any], *, whole: bool = False) -> Problem | None:
    """Return the first problem with receipts, given in their order, or None; see `Chains`.

    What is missing behind the last one cannot be seen here: a later receipt, or `gateway receipts verify --account`,
    shows it. Raises `Refused` when `jwks` is no JWK set.
    """
    chains = Chains(jwks, whole=whole)
    for place, receipt in enumerate(receipts):
        try:
            chains.add(receipt)
        except Refused as error:
            return Problem(place, error.message)
    return None
