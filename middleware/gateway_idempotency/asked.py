"""What a request must have in common with the one that it repeats."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire import multipart

if TYPE_CHECKING:
    from gateway.protocols import Incoming
    from gateway.types import Principal

HEADER: Final = b"idempotency-key"

_LONGEST: Final = 255
_MUCH: Final = 1_048_576
"""Bytes from which on a body is hashed beside the event loop."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request with a key."""

    tenant: str
    id: str
    """Of the endpoint and the client's key."""
    key: str | None
    """Id of the API key."""
    fingerprint: bytes


async def read(incoming: Incoming, principal: Principal) -> Asked:
    """Read what identifies a request. Raises `InvalidRequest` for a key that is none, and what reading the body does."""
    header = incoming.headers.get(HEADER, b"")
    if not (0 < len(header) <= _LONGEST and header.isascii() and header.decode().isprintable()):
        raise InvalidRequest(
            f"An Idempotency-Key is 1 to {_LONGEST} printable ASCII characters.",
            code="invalid_idempotency_key",
        )
    body = await incoming.body()
    kind = incoming.headers.get(b"content-type", b"").decode("latin-1")
    head = (incoming.method.encode(), incoming.target)
    if len(body) > _MUCH:
        fingerprint = await asyncio.to_thread(_fingerprint, *head, body, kind)
    else:
        fingerprint = _fingerprint(*head, body, kind)
    endpoint = f"{incoming.method} {incoming.path}\n".encode()
    return Asked(
        tenant=principal.tenant,
        id=hashlib.sha256(endpoint + header).hexdigest(),
        key=principal.key,
        fingerprint=fingerprint,
    )


def _fingerprint(method: bytes, target: bytes, body: bytes, kind: str) -> bytes:
    """Hash method, path, query and body. Of a form only what it holds counts: each try of a client has another boundary."""
    digest = hashlib.sha256(method + b" " + target + b"\n")
    form = _form(body, kind)
    if form is None:
        digest.update(body)
        return digest.digest()
    view = memoryview(body)
    for field in form.fields:
        size = field.end - field.start
        digest.update(repr((field.name, field.filename, field.content_type, size)).encode() + b"\n")
        digest.update(view[field.start : field.end])
    return digest.digest()


def _form(body: bytes, kind: str) -> multipart.Form | None:
    if not multipart.is_form(kind):
        return None
    try:
        return multipart.parse(body, kind)
    except InvalidRequest:
        return None  # whoever serves the request says what is wrong with it
