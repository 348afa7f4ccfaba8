"""`Idempotency-Key`: a creation that is sent again is answered again, and not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec import Struct

from gateway.admin.answers import Made
from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.admin_requests import claim, finish, give_back
from gateway.store.audit import Actor

_LONGEST: Final = 255


class _Kept(Struct, array_like=True):
    headers: dict[str, str]
    body: msgspec.Raw


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """What a request must have in common with the one it repeats."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).digest()


async def once(
    database: Database,
    *,
    tenant: str,
    actor: Actor,
    header: bytes,
    request: bytes,
    work: Callable[[], Awaitable[Made]],
) -> Made:
    """Do the work, or give the answer to the same request that came before, without what is shown once.

    `request` is its fingerprint. Raises `InvalidRequest`: 422 when the key came with another request, 409 while that
    one runs.
    """
    key = _owned(header, actor)
    earlier = await claim(database, tenant, key, request)
    if earlier is None:
        try:
            made = await work()
        except Exception:
            await give_back(database, tenant, key)
            raise
        kept = msgspec.json.encode(_Kept(made.headers, msgspec.Raw(made.replay or b"null")))
        await finish(database, tenant, key, status=made.status, answer=kept)
        return made
    if earlier.fingerprint != request:
        raise InvalidRequest(
            "This Idempotency-Key came with another request already. Use a new key for a new request.",
            status=422,
            code="idempotency_key_reused",
        )
    if earlier.status is None or earlier.answer is None:
        raise InvalidRequest(
            "The request with this Idempotency-Key is still being carried out.",
            status=409,
            code="idempotency_key_in_use",
            headers=[(b"retry-after", b"1")],
        )
    kept = msgspec.json.decode(earlier.answer, type=_Kept)
    body = bytes(kept.body)
    body = None if body == b"null" else body
    headers = {**kept.headers, "idempotent-replayed": "true"}
    return Made(status=earlier.status, headers=headers, body=body, replay=body)


def _owned(header: bytes, actor: Actor) -> str:
    """The key as it is stored: nobody meets another's."""
    if not (0 < len(header) <= _LONGEST and header.isascii() and header.decode().isprintable()):
        raise InvalidRequest(
            f"An Idempotency-Key is 1 to {_LONGEST} printable ASCII characters.",
            code="invalid_idempotency_key",
        )
    return hashlib.sha256(b"\n".join([actor.kind.encode(), actor.id.encode(), header])).hexdigest()
