"""Takes a compact JWS apart (RFC 7515 §3.1, RFC 7519, RFC 8725), strictly, before any of it is believed."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final, NoReturn

from msgspec import Struct

MAX_BYTES: Final = 16_384
"""Of a token. Real ones have a few thousand."""

_COMPACT: Final = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_REFUSED: Final = frozenset({"crit", "b64", "zip", "enc", "epk", "cty", "jwk"})
"""Header parameters that would change what is verified, or bring their own key. Those that say where to look for a key
or a certificate (`jku`, `x5u`, `x5c`, `x5t`) are never looked at: some issuers send them with every token."""


class Malformed(ValueError):
    """It is no token that could be verified; says why, for the client."""


class Token(Struct, frozen=True):
    """A token that nobody has verified yet."""

    algorithm: str
    key_id: str | None
    type: str | None
    """`typ`, in small letters and without `application/`."""
    claims: dict[str, Any]


def parse(text: bytes) -> Token:
    """Take a token apart. Raises `Malformed`."""
    if len(text) > MAX_BYTES:
        raise Malformed(f"it is longer than {MAX_BYTES} bytes")
    parts = _COMPACT.fullmatch(text)
    if parts is None:
        raise Malformed("it does not consist of three parts in base64url")
    header = _object(parts[1], "header")
    _decoded(parts[3])
    if unwanted := sorted(_REFUSED & header.keys()):
        raise Malformed(f"its header holds {', '.join(unwanted)}")
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str):
        raise Malformed("its header names no algorithm")
    if key_id is not None and not isinstance(key_id, str):
        raise Malformed("its key id is no text")
    if kind is not None and not isinstance(kind, str):
        raise Malformed("its type is no text")
    return Token(
        algorithm,
        key_id,
        None if kind is None else kind.lower().removeprefix("application/"),
        _object(parts[2], "content"),
    )


def _decoded(part: bytes) -> bytes:
    """Decode base64url. Only one way to write the bytes counts (RFC 4648 §3.5). Raises `Malformed`."""
    try:
        content = base64.b64decode(part + b"=" * (-len(part) % 4), b"-_", validate=True)
    except binascii.Error:
        content = None
    if content is None or base64.urlsafe_b64encode(content).rstrip(b"=") != part:
        raise Malformed("it is not written in base64url")
    return content


def _object(part: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object in base64url. No name may come twice: parsers differ in which one they take."""
    try:
        text = _decoded(part).decode()
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed(f"its {what} is no JSON in base64url") from None
    if not isinstance(value, dict):
        raise Malformed(f"its {what} is no JSON object")
    return value  # pyright: ignore[reportUnknownVariableType] - of a JSON object all names are text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("a name comes twice in it")
    return value


def _refuse(constant: str) -> NoReturn:
    raise Malformed(f"it holds {constant}, which is no JSON")
