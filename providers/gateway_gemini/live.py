"""Sessions of AI Studio's Live API. https://ai.google.dev/api/live."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.provider import Credential, Service
from gateway.types import Answer, Attempt, RawHeaders
from gateway.wire.gemini_live import VERSION_HEADER, VERSIONS, live_path

_VERSION: Final = re.compile(r"/v1(?:alpha|beta)?$")
_BAD_KEY: Final = re.compile(r"API[ _]key|unregistered callers|authenticat", re.IGNORECASE)
_QUOTA: Final = re.compile(r"quota|rate limit|RESOURCE_EXHAUSTED", re.IGNORECASE)
_UNKNOWN: Final = re.compile(r"not found", re.IGNORECASE)
_INVALID, _REFUSED, _FAILED = 1007, 1008, 1011


async def open_live(service: Service, attempt: Attempt, address: str) -> Answer:
    """Open a session in the version that the client speaks. Raises `ProviderError`."""
    from gateway.provider.realtime import open_session  # noqa: PLC0415 - slow to import, and rarely needed

    url = _url(address, attempt.call.forwarded)

    def place(credential: Credential) -> tuple[str, RawHeaders]:
        account = service.account_headers(credential)
        return url, [header for header in account if header[0] != b"content-type"]

    tenant = attempt.call.principal.tenant
    return await open_session(service, tenant, place, setup=attempt.body, closed=status_of)


def status_of(code: int, reason: str) -> int | None:
    """Return the HTTP status that Google would answer a request with; None for a close that is no refusal."""
    if code not in {_INVALID, _REFUSED, _FAILED}:
        return None
    if _QUOTA.search(reason):
        return 429
    if code == _FAILED:
        return 500
    if _BAD_KEY.search(reason):
        return 401
    if code == _INVALID:
        return 400
    return 404 if _UNKNOWN.search(reason) else 403


def _url(address: str, forwarded: Sequence[tuple[bytes, bytes]]) -> str:
    spoken = dict(forwarded).get(VERSION_HEADER, b"").decode("latin-1") or VERSIONS[0]
    return _VERSION.sub("", address) + live_path(spoken)
