"""Verifies signed requests: RFC 9421 with Ed25519, and content digests of RFC 9530."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from msgspec import Struct

from gateway.errors import AuthenticationFailed
from gateway.sdk.signature_base import DERIVED, derived_parts, signature_base
from gateway_component.fields import Malformed, SignatureInput, read_bytes, read_inputs

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from gateway.protocols import Incoming

_ALWAYS: Final = frozenset({"@method", "@authority", "@path"})
_ONCE: Final = frozenset({"host", "signature-input", "signature", "content-digest"})
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_LONGEST_NONCE: Final = 200
_SHORTEST_NONCE: Final = 8


class Rules(Struct, frozen=True, kw_only=True):
    """What a signature must be like."""

    tag: str
    max_seconds: float
    """The longest that a signature may be good for."""
    skew_seconds: float
    covered: frozenset[str]
    """Headers that must be covered where a request has them."""
    is_ours: Callable[[str], bool]
    """Whether an authority is one of this gateway's."""


class Verified(Struct, frozen=True):
    """A good signature; its nonce is still to be spent."""

    key_id: str
    nonce: str
    until: float
    """Unix seconds from which on the signature is refused anyway."""
    covered: frozenset[str]


async def verify(
    incoming: Incoming, rules: Rules, key_of: Callable[[str], Ed25519PublicKey | None]
) -> Verified | None:
    """Check the signature that has our tag; None when the request has none. Raises `AuthenticationFailed`."""
    headers = incoming.headers
    if b"signature-input" not in headers:
        return None
    try:
        return await _verify(incoming, rules, key_of)
    except Malformed as error:
        raise _refused(str(error)) from error


async def _verify(
    incoming: Incoming, rules: Rules, key_of: Callable[[str], Ed25519PublicKey | None]
) -> Verified | None:
    headers = _single_headers(incoming)
    inputs = read_inputs(headers["signature-input"])
    ours = [label for label, each in inputs.items() if each.params.get("tag") == rules.tag]
    if not ours:
        return None
    if len(ours) > 1:
        raise _refused(f"there is more than one signature with the tag '{rules.tag}'")
    label = ours[0]
    signature = read_bytes(headers.get("signature", ""), "signature").get(label)
    if signature is None:
        raise _refused(f"the header 'signature' has no member '{label}'")
    given = inputs[label]
    nonce, until = _check_parameters(given, rules)
    authority = headers.get("host", "").strip(" \t").lower()
    if not rules.is_ours(authority):
        raise _refused(
            f"'{authority}' is not this gateway's address: its public_url or `authorities` must say so"
        )
    body = await incoming.body()
    _check_covered(given.covered, headers, incoming.target, body, rules)
    key_id = str(given.params["keyid"])
    key = key_of(key_id)
    if key is None:
        raise _refused("its key is not that of a registered component")
    try:
        values = derived_parts(incoming.method, authority, incoming.target)
        values |= {name: headers[name].strip(" \t") for name in given.covered if name not in DERIVED}
        key.verify(signature, signature_base(given.covered, values, given.text))
    except (InvalidSignature, UnicodeError) as error:
        raise _refused("it does not fit this request and this key") from error
    if "content-digest" in given.covered:
        _check_digest(headers["content-digest"], body)
    return Verified(key_id, nonce, until, frozenset(given.covered))


def _single_headers(incoming: Incoming) -> dict[str, str]:
    """Headers by name, those sent more than once left out: whoever covers one of them is refused."""
    given = incoming.header_list
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
    if len(found) < len(given):
        counts = Counter(name.decode("latin-1") for name, _ in given)
        for text in (name for name, count in counts.items() if count > 1):
            if text in _ONCE:
                raise _refused(f"the header '{text}' is there twice")
            del found[text]
    return found


def _check_parameters(given: SignatureInput, rules: Rules) -> tuple[str, float]:
    """Return the nonce, and until when the signature is good."""
    params, now = given.params, time.time()
    created, expires, nonce = params.get("created"), params.get("expires"), params.get("nonce")
    if not isinstance(params.get("keyid"), str):
        raise _refused("the parameter 'keyid' is missing")
    if params.get("alg", "ed25519") != "ed25519":
        raise _refused("its algorithm must be ed25519")
    if not isinstance(created, int):
        raise _refused("the parameter 'created' is missing: when it was made, in Unix seconds")
    if not isinstance(nonce, str) or not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
        raise _refused(f"the parameter 'nonce' must have {_SHORTEST_NONCE} to {_LONGEST_NONCE} characters")
    if created > now + rules.skew_seconds:
        raise _refused("it was made in the future: is the clock right?")
    end = created + rules.max_seconds
    if "expires" in params:
        if not isinstance(expires, int) or expires > end:
            raise _refused(f"the parameter 'expires' may be {rules.max_seconds:g} s after 'created' at most")
        end = expires
    if end < now - rules.skew_seconds:
        raise _refused("it has expired: is the clock right?")
    return nonce, end + rules.skew_seconds


def _check_covered(
    covered: list[str], headers: Mapping[str, str], target: bytes, body: bytes, rules: Rules
) -> None:
    needed = {*_ALWAYS, *(name for name in rules.covered if name in headers)}
    if b"?" in target:
        needed.add("@query")
    if body:
        needed.add("content-digest")
        if "content-type" in headers:
            needed.add("content-type")
    missing = needed.difference(covered)
    if missing:
        raise _refused(f"it must cover {', '.join(sorted(missing))}")
    for name in covered:
        if name.startswith("@"):
            if name not in DERIVED:
                raise _refused(f"it covers {name}, which the gateway does not understand")
        elif name not in headers:
            raise _refused(f"it covers the header '{name}', which is not there once")


def _check_digest(field: str, body: bytes) -> None:
    known = {name: value for name, value in read_bytes(field, "content-digest").items() if name in _DIGESTS}
    if not known:
        raise _refused("content-digest must be one of sha-256 or sha-512")
    for name, value in known.items():
        if _DIGESTS[name](body).digest() != value:
            raise _refused("content-digest does not fit the body")


def _refused(why: str) -> AuthenticationFailed:
    return AuthenticationFailed(f"The signature of this request is refused: {why}.", code="invalid_signature")
