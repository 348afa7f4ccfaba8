"""Verifies signed requests: RFC 9421 with Ed25519, and content digests of RFC 9530."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from nacl.exceptions import BadSignatureError

from gateway.errors import AuthenticationFailed
from gateway.sdk.signature_base import DERIVED, derived_parts, signature_base
from gateway_component.fields import Malformed, SignatureInput, read_bytes, read_inputs

if TYPE_CHECKING:
    from nacl.signing import VerifyKey

    from gateway.protocols import Incoming

_ALWAYS: Final = frozenset({"@method", "@authority", "@path"})
_ONCE: Final = (b"host", b"signature-input", b"signature", b"content-digest")
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


class Verified(Struct, frozen=True, gc=False):
    """A good signature; its nonce is still to be spent."""

    key_id: str
    nonce: str
    created: int
    """Unix seconds, as the signature says."""
    until: float
    """Unix seconds from which on the signature is refused anyway."""
    covered: frozenset[str]


async def verify(
    incoming: Incoming, rules: Rules, key_of: Callable[[str], VerifyKey | None]
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
    incoming: Incoming, rules: Rules, key_of: Callable[[str], VerifyKey | None]
) -> Verified | None:
    headers = _single_headers(incoming)
    inputs = read_inputs(_text(headers, "signature-input"))
    ours = [label for label, each in inputs.items() if each.params.get("tag") == rules.tag]
    if not ours:
        return None
    if len(ours) > 1:
        raise _refused(f"there is more than one signature with the tag '{rules.tag}'")
    label = ours[0]
    signature = read_bytes(_text(headers, "signature"), "signature").get(label)
    if signature is None:
        raise _refused(f"the header 'signature' has no member '{label}'")
    given = inputs[label]
    nonce, created, until = _check_parameters(given, rules)
    authority = _text(headers, "host").lower()
    if not rules.is_ours(authority):
        raise _refused(
            f"'{authority}' is not this gateway's address: its public_url or `authorities` must say so"
        )
    body = await incoming.body()
    target = incoming.target
    _check_covered(given, headers, target, body, rules)
    key_id = str(given.params["keyid"])
    key = key_of(key_id)
    if key is None:
        raise _refused("its key is not that of a registered component")
    try:
        values = derived_parts(incoming.method, authority, target)
        for name in given.covered - DERIVED:
            values[name] = _text(headers, name)
        key.verify(signature_base(given.in_order, values, given.text), signature)
    except (BadSignatureError, ValueError) as error:
        raise _refused("it does not fit this request and this key") from error
    if "content-digest" in given.covered:
        _check_digest(_text(headers, "content-digest"), body)
    return Verified(key_id, nonce, created, until, given.covered)


def _single_headers(incoming: Incoming) -> Mapping[bytes, bytes]:
    """Headers by name, those sent more than once left out: whoever covers one of them is refused."""
    found, given = incoming.headers, incoming.header_list
    if len(found) == len(given):
        return found
    counts = Counter(name for name, _ in given)
    for name in _ONCE:
        if counts[name] > 1:
            raise _refused(f"the header '{name.decode()}' is there twice")
    return {name: value for name, value in found.items() if counts[name] == 1}


def _text(headers: Mapping[bytes, bytes], name: str) -> str:
    """The value of a header; empty without it."""
    return headers.get(name.encode(), b"").decode("latin-1").strip(" \t")


def _check_parameters(given: SignatureInput, rules: Rules) -> tuple[str, int, float]:
    """Return the nonce, when the signature was made, and until when it is good."""
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
    return nonce, created, end + rules.skew_seconds


def _check_covered(
    given: SignatureInput, headers: Mapping[bytes, bytes], target: bytes, body: bytes, rules: Rules
) -> None:
    needed = {*_ALWAYS, *(name for name in rules.covered if name.encode() in headers)}
    if b"?" in target:
        needed.add("@query")
    if body:
        needed.add("content-digest")
        if b"content-type" in headers:
            needed.add("content-type")
    missing = needed.difference(given.covered)
    if missing:
        raise _refused(f"it must cover {', '.join(sorted(missing))}")
    for name in given.in_order:
        if name in DERIVED:
            continue
        if name.startswith("@"):
            raise _refused(f"it covers {name}, which the gateway does not understand")
        if name.encode() not in headers:
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
