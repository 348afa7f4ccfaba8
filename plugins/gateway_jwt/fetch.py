"""Fetches what issuers publish."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from gateway.upstream import Timeouts, UpstreamError
from gateway_jwt.config import is_safe

if TYPE_CHECKING:
    from gateway.plugin import Context

_TIMEOUTS: Final = Timeouts(connect=4, first_byte=6, idle=4, total=10)
_MAX_BYTES: Final = 512 * 1024
_OK: Final = 200


class FetchFailed(Exception):
    """The issuer did not answer, or not with what was asked for. Says why, for the log."""


class Fetcher:
    """Fetches JSON objects for one issuer.

    Where the issuer's own document leads to another host, only public addresses are gone to.
    """

    def __init__(self, context: Context, issuer: str) -> None:
        self._context = context
        self._host = urlsplit(issuer).netloc

    async def get(self, url: str) -> dict[str, Any]:
        """GET a JSON object. Raises `FetchFailed`."""
        status, body = await self._send("GET", url, b"", [])
        if status != _OK:
            raise FetchFailed(f"{_shown(url)} answered with HTTP {status}")
        return _object(url, body)

    async def post(
        self, url: str, form: dict[str, str], *, basic: tuple[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """POST a form, return status and JSON object. `basic` is encoded as RFC 6749 §2.3.1 says. Raises `FetchFailed`."""
        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        if basic is not None:
            pair = ":".join(quote(part, safe="") for part in basic)
            headers.append((b"authorization", b"Basic " + base64.b64encode(pair.encode())))
        status, body = await self._send("POST", url, urlencode(form).encode(), headers)
        return status, _object(url, body)

    async def _send(
        self, method: str, url: str, body: bytes, headers: list[tuple[bytes, bytes]]
    ) -> tuple[int, bytes]:
        if not is_safe(url):
            raise FetchFailed(f"{_shown(url)} is neither https nor on a loopback address")
        own = urlsplit(url).netloc == self._host
        client = self._context.client if own else self._context.public_client
        try:
            request = client.prepare(method, url, [(b"accept", b"application/json"), *headers])
            response = await client.send(request, body, timeouts=_TIMEOUTS)
            try:
                content = bytearray()
                async for chunk in response:
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise FetchFailed(f"{_shown(url)} answered with more than {_MAX_BYTES} bytes")
            finally:
                response.close()
        except (UpstreamError, ValueError) as error:
            raise FetchFailed(f"{_shown(url)}: {error}") from None
        return response.status, bytes(content)


def _object(url: str, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise FetchFailed(f"{_shown(url)} answered with something that is no JSON") from None
    if not isinstance(value, dict):
        raise FetchFailed(f"{_shown(url)} answered with JSON that is no object")
    return cast("dict[str, Any]", value)


def _shown(url: str) -> str:
    """A URL as the log shows it: without its query, and not too long."""
    return repr(url.partition("?")[0][:200])
