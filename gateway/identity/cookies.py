"""The cookies in which browsers hold a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gateway.identity.people import Rules, SignedIn

_MINUTE, _DAY = 60, 86400
_ELSEWHERE: Final = ("//", "/\\")


class Cookies:
    """Names, writes and reads them. Over https they are bound to the host: no neighbouring domain can plant one."""

    def __init__(self, rules: Rules) -> None:
        secure = urlsplit(rules.public_url).scheme == "https"
        prefix = "__Host-" if secure else ""
        self._access = f"{prefix}gateway_session"
        self._refresh = f"{prefix}gateway_refresh"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        self._access_age = int(rules.access_minutes * _MINUTE)
        self._refresh_age = int(rules.session_days * _DAY)
        self._access_bytes = f"{self._access}=".encode()
        self._refresh_bytes = f"{self._refresh}=".encode()

    def headers(self, signed_in: SignedIn) -> list[tuple[bytes, bytes]]:
        """The `set-cookie` headers that hand a browser its session, in place of any it had."""
        return [
            self._header(self._access, signed_in.access, self._access_age),
            self._header(self._refresh, signed_in.refresh, self._refresh_age),
        ]

    def clear(self) -> list[tuple[bytes, bytes]]:
        """The `set-cookie` headers that take it away."""
        return [self._header(name, "", 0) for name in (self._access, self._refresh)]

    def access(self, cookie: bytes) -> bytes | None:
        """The access token in a `cookie` header."""
        return _value(cookie, self._access_bytes)

    def refresh(self, cookie: bytes) -> bytes | None:
        """The refresh token in a `cookie` header."""
        return _value(cookie, self._refresh_bytes)

    def _header(self, name: str, value: str, age: int) -> tuple[bytes, bytes]:
        return b"set-cookie", f"{name}={value}; Max-Age={age}{self._attributes}".encode()


def local_path(value: str | None, default: str) -> str:
    r"""Where a sign-in leads to: `value` when it is a path on this very site, else `default`.

    Browsers take `//host` and `/\host` for other sites, and drop tabs and line ends before they look.
    """
    if not value or not value.startswith("/") or value.startswith(_ELSEWHERE):
        return default
    return value if value.isascii() and value.isprintable() and "\\" not in value else default


def _value(cookie: bytes, name: bytes) -> bytes | None:
    for part in cookie.split(b";"):
        pair = part.strip()
        if pair.startswith(name):
            return pair[len(name) :] or None
    return None
