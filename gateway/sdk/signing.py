"""Signs requests as components do: RFC 9421 with Ed25519. Needs `asgi-gateway[component]`."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.sdk.did_key import did_of
from gateway.sdk.signature_base import content_digest, derived_parts, signature_base

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TAG: Final = "gateway"
"""Tells a component's signature from others on the same request."""
SECONDS: Final = 60
_SIGNED: Final = ("content-type", "x-user-did")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Signer:
    """Signs the requests of one component.

    signer = Signer(private_key)
    headers = signer.headers("POST", url, body, {"content-type": "application/json"})
    """

    def __init__(self, key: Ed25519PrivateKey, *, tag: str = TAG) -> None:
        self._key = key
        self._tag = tag
        self.key_id = did_of(key.public_key().public_bytes_raw())
        """The did:key under which the component is registered."""

    def headers(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return the given headers (lower-case names) and those of the signature, all of which are to be sent.

        Content type and `x-user-did` are covered where they are given; the body always is.
        """
        scheme, authority, path, query, _ = urlsplit(url)
        authority = authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
        target = f"{path}?{query}" if query else path
        sent = {**(headers or {}), "content-digest": content_digest(body)}
        values = {**derived_parts(method, authority, target.encode("ascii")), **sent}
        covered = ["@method", "@authority", "@path", "@query"]
        covered += [name for name in _SIGNED if name in sent]
        covered.append("content-digest")
        now = int(time.time())
        names = " ".join(f'"{name}"' for name in covered)
        params = (
            f"({names});created={now};expires={now + SECONDS};"
            f'nonce="{secrets.token_urlsafe(18)}";keyid="{self.key_id}";alg="ed25519";tag="{self._tag}"'
        )
        signature = base64.b64encode(self._key.sign(signature_base(covered, values, params))).decode()
        return {**sent, "signature-input": f"sig={params}", "signature": f"sig=:{signature}:"}
