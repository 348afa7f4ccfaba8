"""Where a request goes: the parts of a URL that choose a connection."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

_TARGET = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """A server: scheme, host and port (RFC 9110 §4.3.1)."""

    tls: bool
    host: str
    """ASCII, lower case; an IPv6 address stands without brackets."""
    port: int

    @property
    def authority(self) -> str:
        """The value of the `host` header: without the port when it is the scheme's own."""
        return bracketed(self.host) if self.port == (443 if self.tls else 80) else str(self)

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """Return the host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def parse_url(url: str) -> tuple[Origin, str]:
    """Split an absolute http or https URL into its origin and the request target; raise ValueError for others."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(
            f"a URL starts with http:// or https://, this one with {parts.scheme or 'neither'!r}"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the URL of {parts.hostname} holds a user name or password; send a header instead")
    if not parts.hostname:
        raise ValueError("the URL names no host")
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    if not _TARGET.fullmatch(target):
        raise ValueError(f"percent-encode spaces and non-ASCII characters in the URL of {parts.hostname}")
    return Origin(parts.scheme == "https", _ascii(parts.hostname), parts.port or _PORTS[parts.scheme]), target


def _ascii(host: str) -> str:
    if not host.isascii():
        return host.encode("idna").decode("ascii")
    if not _TARGET.fullmatch(host):
        raise ValueError("the host of the URL holds spaces or control characters")
    return host
