"""Writes request heads (RFC 9112 §3, §5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.upstream.pool import Pool

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CR, _LF, _NUL = b"\r\n\0"
"""As numbers: in bytes, these are found many times as fast as texts."""

_METHOD = re.compile(r"[A-Z]+")
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_USUALLY_EMPTY = _SAFE | {"DELETE"}
_OURS = frozenset(
    (
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class Prepared:
    """A request head, encoded once and sent many times with different bodies. Made by `Client.prepare`."""

    __slots__ = ("head", "is_head", "pool", "safe", "unsized_when_empty")

    def __init__(
        self, method: str, target: str, host: str, headers: Sequence[tuple[bytes, bytes]], pool: Pool
    ) -> None:
        if not _METHOD.fullmatch(method):
            raise ValueError(f"an HTTP method is written in capitals, this one is {method!r}")
        lines = encode_headers(headers)
        given = {name.lower() for name, _ in headers}
        if b"host" not in given:
            lines = b"host: %b\r\n%b" % (host.encode("ascii"), lines)
        if b"user-agent" not in given:
            lines += b"user-agent: asgi-gateway\r\n"
        if pool.forward is not None and pool.forward.authorization is not None:
            lines += b"proxy-authorization: %b\r\n" % pool.forward.authorization
        self.head = b"%b %b HTTP/1.1\r\n%baccept-encoding: identity\r\n" % (
            method.encode("ascii"),
            target.encode("ascii"),
            lines,
        )
        self.pool = pool
        self.is_head = method == "HEAD"
        self.safe = method in _SAFE
        """Whether sending it twice does no harm (RFC 9110 §9.2.1)."""
        self.unsized_when_empty = method in _USUALLY_EMPTY

    def encode(self, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Return the complete head for this body, with the headers of this one request added."""
        head = self.head + encode_headers(headers) if headers else self.head
        if not body and self.unsized_when_empty:
            return head + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n" % (head, len(body))


def encode_headers(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return header lines. Raise ValueError for names and values that could smuggle, and for framing headers."""
    lines: list[bytes] = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is no header name")
        if _LF in value or _CR in value or _NUL in value:
            raise ValueError(f"the value of header {name!r} holds a line break or a NUL")
        if name.lower() in _OURS:
            raise ValueError(f"header {name!r} is the client's own to set")
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)
