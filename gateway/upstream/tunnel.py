"""Asks a proxy for a tunnel (CONNECT, RFC 9110 §9.3.6)."""

from __future__ import annotations

import asyncio
import re
from typing import cast

from gateway.upstream.errors import ConnectFailed
from gateway.upstream.origin import Origin
from gateway.upstream.proxies import Proxy

_STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d)[ \r]")
_END = b"\r\n\r\n"
_LIMIT = 65_536


class Tunnel(asyncio.Protocol):
    """A connection to a proxy until its answer is there; afterwards TLS takes the transport over."""

    def __init__(self) -> None:
        self._received = b""
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, origin: Origin, proxy: Proxy) -> None:
        """Ask for a tunnel and wait for it. Raises `ConnectFailed` when the proxy does anything but open it."""
        request = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % ((str(origin).encode("ascii"),) * 2)
        if proxy.authorization is not None:
            request += b"proxy-authorization: %b\r\n" % proxy.authorization
        self._transport.write(request + b"\r\n")
        await self._answered
        status = _STATUS.match(self._received)
        head, end, rest = self._received.partition(_END)
        if status is None or not end or rest or len(head) > _LIMIT:
            raise ConnectFailed(f"proxy {proxy} answered no HTTP when asked for a tunnel to {origin}")
        if not status[1].startswith(b"2"):
            raise ConnectFailed(
                f"proxy {proxy} refused a tunnel to {origin} with status {status[1].decode('ascii')}"
            )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        self._received += data
        if _END in self._received or len(self._received) > _LIMIT:
            self._answer()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._answer()

    def _answer(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)
