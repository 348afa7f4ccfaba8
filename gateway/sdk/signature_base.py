"""What an HTTP message signature is made over: RFC 9421 §2.5, for requests and for components without parameters."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

DERIVED: Final = frozenset({"@method", "@authority", "@path", "@query"})
"""The parts of a request that are no headers and that the gateway understands."""


def derived_parts(method: str, authority: str, target: bytes) -> dict[str, str]:
    """The values of `DERIVED`: RFC 9421 §2.2. `target` is path and query as they are sent."""
    path, mark, query = target.decode("ascii").partition("?")
    return {
        "@method": method,
        "@authority": authority,
        "@path": path or "/",
        "@query": mark + query if mark else "?",
    }


def signature_base(covered: Iterable[str], values: Mapping[str, str], params: str) -> bytes:
    """One line for each covered component, and the last for the parameters. Raises KeyError for one without a value."""
    lines = [f'"{name}": {values[name]}' for name in covered]
    lines.append(f'"@signature-params": {params}')
    return "\n".join(lines).encode("latin-1")


def content_digest(body: bytes) -> str:
    """The value of `content-digest`: RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
