"""Sending events over HTTP: one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.upstream import Timeouts

if TYPE_CHECKING:
    from gateway.upstream import Client

TIMEOUTS: Final = Timeouts(connect=5, first_byte=10, idle=5, total=10)
_MAX_BYTES: Final = 64 * 1024
_ABOUT_EVENTS: Final = frozenset({400, 409, 413, 422})


class Answer:
    """What the far side answered."""

    def __init__(self, url: str, status: int, body: bytes) -> None:
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self.status = status
        self.body = body

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes

    @property
    def is_about_events(self) -> bool:
        """Whether it finds fault with what it was sent, and not with who sends, or itself."""
        return self.status in _ABOUT_EVENTS

    def __str__(self) -> str:
        return f"{self.host} answered with HTTP {self.status}"

    def explained(self) -> str:
        """The status, and the beginning of what the far side says about it."""
        said = self.body[:200].decode(errors="replace").strip()
        return f"{self}: {said}" if said else str(self)


async def post(
    client: Client, url: str, body: bytes, headers: Mapping[str, str], timeouts: Timeouts = TIMEOUTS
) -> Answer:
    """POST once, following no redirect. Raises `UpstreamError`."""
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    response = await client.send(client.prepare("POST", url, encoded), body, timeouts=timeouts)
    content = bytearray()
    try:
        async for chunk in response:
            content += chunk
            if len(content) > _MAX_BYTES:
                break
    finally:
        response.close()
    return Answer(url, response.status, bytes(content[:_MAX_BYTES]))
